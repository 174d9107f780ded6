// Prepares tensors for a model: fits each input to the graph, and packs those of the same shapes together.

import { fileError } from '../../base/files/index.ts'
import { PipiloError, throwIfAborted } from '../../base/index.ts'
import type { ValueInfo } from '../../graph/index.ts'
import { readNpy } from '../../tensor/files/index.ts'
import { type Tensor, typedArray, valueTensor } from '../../tensor/index.ts'
import type { Limits, Preparation, PrepareOptions, Unit } from '../batching/preparation.ts'
import { contentOf } from '../inputs/inputModality.ts'
import { allowedPath } from '../pictures/allow.ts'
import { filePath } from '../pictures/imageSource.ts'
import type { Allow, Input } from '../types.ts'
import type { Fitted, TensorContent } from './content.ts'
import { fitTensor, hasBatch } from './fit.ts'

/** Numbers that run together at most, where the graph takes several inputs at a time: 1 MB of floats. */
const BATCH_NUMBERS = 2 ** 18
/** Numbers that wait: 256 MB of floats. */
const WAITING_NUMBERS = 2 ** 26
/** A file's numbers, before it is read. */
const FILE_NUMBERS = BATCH_NUMBERS / 8

/** Neither tokens nor pixels. */
const NOTHING = new Uint8Array()

export interface TensorOptions {
  /** Name of the model. */
  readonly name: string
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** Decimal numbers for inputs that have the same value for all, by their names. */
  readonly values: Readonly<Record<string, string>>
  readonly concurrency: number
  /** True where no input may run beside another. */
  readonly alone?: boolean
  /** Files that may be read. */
  readonly allow?: Allow | undefined
}

/** Typed arrays, tensors and `.npy` files to what the graph takes. */
export class TensorPreparation implements Preparation {
  readonly window = { count: 1024, weight: 4 * BATCH_NUMBERS }
  readonly ahead: number
  readonly limits: Limits
  readonly packs = true
  readonly #options: TensorOptions
  /** Inputs without a value of their own. */
  readonly #open: readonly ValueInfo[]
  readonly #together: boolean

  constructor(options: TensorOptions) {
    const { inputs, values, concurrency } = options
    this.#options = options
    this.#open = inputs.filter(({ name }) => !Object.hasOwn(values, name))
    this.ahead = concurrency + 1
    this.#together = this.#takesRows()
    // No batch is joined with another call's: their shapes may differ.
    this.limits = {
      unit: 'numbers',
      batch: 1,
      least: 1,
      smallest: 1,
      waiting: WAITING_NUMBERS,
      together: this.#together ? 'any' : 'none',
    }
    // A value that its input does not hold is an error before anything runs.
    for (const info of inputs) if (Object.hasOwn(values, info.name)) valueTensor(info, values[info.name]!)
  }

  weigh(input: Input): number {
    return typeof input === 'string' || input instanceof URL ? FILE_NUMBERS : countOf(input)
  }

  expect(input: Input): number {
    return this.weigh(input)
  }

  async prepare(inputs: readonly Input[], { indexOf, signal, onError }: PrepareOptions): Promise<Unit[]> {
    const units: Unit[] = []
    for (const [owner, input] of inputs.entries()) {
      throwIfAborted(signal)
      try {
        const tensors = await this.#content(input, `Input ${indexOf(owner)}`)
        const size = [...tensors.fed.values()].reduce((sum, { tensor }) => sum + tensor.data.length, 0)
        units.push({ owner, content: NOTHING, tensors, size, truncated: false })
      } catch (error) {
        if (!(error instanceof PipiloError)) throw error
        onError(owner, error)
      }
    }
    return units
  }

  pack(units: readonly Unit[]): Unit[][] {
    if (!this.#together) return units.map((unit) => [unit])
    const open = new Map<string, { batch: Unit[]; size: number }>()
    const batches: Unit[][] = []
    for (const unit of units) {
      const { key, fed } = unit.tensors!
      const rows = [...fed.values()].every(({ row }) => row)
      const last = open.get(key)
      if (last && rows && last.size + unit.size <= BATCH_NUMBERS) {
        last.batch.push(unit)
        last.size += unit.size
        continue
      }
      const batch = [unit]
      batches.push(batch)
      if (rows) open.set(key, { batch, size: unit.size })
    }
    return batches
  }

  feeds(batch: readonly Unit[]): Record<string, Tensor> {
    const contents = batch.map(({ tensors }) => tensors!)
    const [first] = contents
    const sizes = new Map(first!.sizes)
    const feeds: Record<string, Tensor> = {}
    for (const info of this.#options.inputs) {
      const { name, type } = info
      const symbol = type?.kind === 'tensor' ? type.shape?.[0] : undefined
      const fitted = first!.fed.get(name)
      if (!fitted) continue
      feeds[name] = fitted.row
        ? stacked(contents.map(({ fed }) => fed.get(name)!.tensor))
        : copied(fitted.tensor)
      if (fitted.row && typeof symbol === 'string' && symbol !== '') sizes.set(symbol, batch.length)
    }
    for (const info of this.#options.inputs) {
      if (feeds[info.name]) continue
      feeds[info.name] = valueTensor(info, this.#options.values[info.name]!, sizes)
    }
    return feeds
  }

  hasRows(): boolean {
    // A batch has as many rows as its graph takes: {@link pack} sees to that.
    return false
  }

  async #content(input: unknown, label: string): Promise<TensorContent> {
    const given = await this.#read(input, label)
    const byName = this.#byName(given, label)
    const sizes = new Map<string, number>()
    const fed = new Map<string, Fitted>()
    for (const info of this.#options.inputs) {
      if (!Object.hasOwn(byName, info.name)) continue
      fed.set(info.name, fitTensor(info, await this.#read(byName[info.name], label), label, sizes))
    }
    const key = JSON.stringify([...fed].map(([name, { tensor, row }]) => [name, row, tensor.shape]))
    return { key, fed, sizes }
  }

  /** The numbers of a `.npy` file; anything else as it is, but for pictures. */
  async #read(input: unknown, label: string): Promise<unknown> {
    if (isPicture(input)) throw this.#noPictures(label)
    if (typeof input !== 'string' && !(input instanceof URL)) return input
    const named = /^file:/i.test(String(input)) ? filePath(String(input)) : String(input)
    const path = await allowedPath(named, this.#options.allow)
    try {
      const { dtype, shape, data } = await readNpy(path)
      return { dtype, shape, data }
    } catch (error) {
      if ((await contentOf(path).catch(() => undefined)) === 'image') throw this.#noPictures(label)
      throw fileError(error, String(input), 'read')
    }
  }

  #noPictures(label: string): PipiloError {
    const { name } = this.#options
    return new PipiloError(
      'INPUT_INVALID',
      `${label} is a picture, and ${name} takes tensors: nothing says that it is for pictures.`,
      { input: label, hint: "If it is, say so when it is opened: modality: 'image'." },
    )
  }

  #byName(given: unknown, label: string): Readonly<Record<string, unknown>> {
    const { name: model, inputs } = this.#options
    const names = this.#open.map(({ name }) => name)
    if (!isNamed(given)) {
      if (names.length === 1) return { [names[0]!]: given }
      throw new PipiloError(
        'INPUT_INVALID',
        `${model} takes ${names.length === 0 ? 'nothing but the values of the option inputs' : `${names.length} inputs, ${names.join(', ')}`}, and ${label.toLowerCase()} is one tensor.`,
        {
          input: label,
          hint:
            names.length === 0
              ? 'Leave one of them out.'
              : `Give an object by name, or a value for all: inputs: { ${JSON.stringify(names.at(-1))}: 0 }.`,
        },
      )
    }
    const unknown = Object.keys(given).find((name) => !inputs.some((info) => info.name === name))
    const missing = names.find((name) => !Object.hasOwn(given, name))
    if (unknown === undefined && missing === undefined) return given
    const what = unknown === undefined ? `says nothing of the input '${missing}'` : `has '${unknown}'`
    throw new PipiloError(
      'INPUT_INVALID',
      `${label} ${what}; ${model} takes ${inputs.map(({ name }) => name).join(', ')}.`,
      {
        input: label,
        hint: 'Give each by its name; one that is the same for all may be an option: inputs: { sr: 16000n }.',
      },
    )
  }

  /** True if the graph says that as many rows come out as go in, of any number, and every size is known from the inputs. */
  #takesRows(): boolean {
    const { inputs, outputs, values, alone } = this.#options
    if (alone) return false
    const [out] = outputs
    const batch = out?.type?.kind === 'tensor' ? out.type.shape?.[0] : undefined
    if (typeof batch !== 'string' || batch === '') return false
    const shapes = this.#open.map(({ type }) => (type?.kind === 'tensor' ? type.shape : undefined))
    const rows = shapes.every((shape) => hasBatch(shape) && shape![0] === batch)
    const known = new Set(shapes.flatMap((shape) => shape ?? []))
    const fixed = inputs.filter(({ name }) => Object.hasOwn(values, name))
    return (
      rows &&
      fixed.every(
        ({ type }) =>
          type?.kind === 'tensor' &&
          type.shape?.every((size) =>
            typeof size === 'number' ? size >= 0 : known.has(size) && size !== '',
          ),
      )
    )
  }
}

/** True of a decoded picture. A file's bytes may be what a model takes. */
function isPicture(input: unknown): boolean {
  if (typeof input !== 'object' || input === null) return false
  return 'width' in input && 'height' in input && 'channels' in input && 'data' in input
}

/** True for tensors by the names of inputs, false for one tensor. */
function isNamed(given: unknown): given is Readonly<Record<string, unknown>> {
  if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given)) return false
  return !('data' in given && 'shape' in given && Array.isArray(given.shape))
}

function countOf(input: unknown): number {
  if (typeof input !== 'object' || input === null) return 1
  if (ArrayBuffer.isView(input)) return 'length' in input ? Number(input.length) : 1
  if ('data' in input && 'shape' in input) return (input.data as ArrayLike<unknown>)?.length ?? 1
  return Object.values(input).reduce<number>((sum, one) => sum + countOf(one), 0)
}

/** Feeds are moved to another thread: the caller's arrays stay his. */
function copied(tensor: Tensor): Tensor {
  return { ...tensor, data: tensor.data.slice() as Tensor['data'] }
}

/** Rows of the same shape, one after the other along the first axis. */
function stacked(rows: readonly Tensor[]): Tensor {
  const [first] = rows
  if (rows.length === 1 || !ArrayBuffer.isView(first!.data)) return copied(first!)
  const each = first!.data.length
  const shape = [rows.length, ...first!.shape.slice(1)]
  const data = typedArray(first!.dtype, rows.length * each)
  for (const [i, row] of rows.entries()) data.set(row.data as never, i * each)
  return { dtype: first!.dtype, shape, data }
}
