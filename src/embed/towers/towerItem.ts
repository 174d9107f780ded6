// Inputs of a model of two towers, sorted to the tower that they are for.
import { PipiloError } from '../../base/index.ts'
import type { TowerModality } from '../../models/index.ts'
import type { Limits, Preparation, PrepareOptions, Unit } from '../batching/preparation.ts'
import { isRawImage } from '../pictures/rawImage.ts'
import type { AnyInput, Input } from '../types.ts'

/** An input of a model of two towers, on its way through one of them. */
export interface TowerItem {
  /** Its place among all inputs. */
  readonly index: number
  readonly given: AnyInput
  /** The text or the picture in it. */
  readonly input: Input
}

/**
 * The tower that an input is for, and the input as that tower takes it.
 *
 * @throws PipiloError `INPUT_INVALID` for what does not say whether it is a text or a picture, `TEXT_INVALID`
 */
export function towerOf(
  given: AnyInput,
  index: number,
  name: string,
): { tower: TowerModality; item: TowerItem } {
  const wrong = (what: string): PipiloError =>
    new PipiloError('INPUT_INVALID', `Input ${index} is ${what}, and ${name} takes texts and pictures.`, {
      input: index,
      hint: "Say which it is: { text: 'a red bird' } or { image: 'bird.jpg' }.",
    })
  if (typeof given === 'string') throw wrong('a bare string')
  if (given instanceof Uint8Array || given instanceof Blob || given instanceof URL || isRawImage(given)) {
    throw wrong(given instanceof URL ? 'a bare URL' : 'a bare picture')
  }
  if (typeof given !== 'object' || given === null) {
    throw wrong(given === null ? 'null' : `of type ${typeof given}`)
  }
  const { text, image } = given as Readonly<Partial<Record<string, unknown>>>
  if (text !== undefined && image !== undefined) throw wrong('both a text and a picture')
  if (image !== undefined) return { tower: 'image', item: { index, given, input: image as Input } }
  if (text === undefined) throw wrong('neither a text nor a picture')
  if (typeof text === 'string') return { tower: 'text', item: { index, given, input: text } }
  throw new PipiloError('TEXT_INVALID', `The text of input ${index} is of type ${typeof text}.`, {
    input: index,
    hint: "Write { text: 'a red bird' }.",
  })
}

/** A tower's preparation, for inputs among which those of the other tower stood. */
export class TowerPreparation implements Preparation<TowerItem> {
  readonly #inner: Preparation
  readonly window: Preparation['window']
  readonly ahead: number
  readonly limits: Limits

  constructor(inner: Preparation) {
    this.#inner = inner
    this.window = inner.window
    this.ahead = inner.ahead
    this.limits = inner.limits
  }

  weigh({ input }: TowerItem): number {
    return this.#inner.weigh(input)
  }

  expect({ input }: TowerItem): number {
    return this.#inner.expect(input)
  }

  indexOf({ index }: TowerItem): number {
    return index
  }

  prepare(items: readonly TowerItem[], options: PrepareOptions): Promise<Unit[]> {
    const inputs = items.map(({ input }) => input)
    return this.#inner.prepare(inputs, { ...options, indexOf: (owner) => items[owner]!.index })
  }

  pack(units: readonly Unit[]): Unit[][] {
    return this.#inner.pack(units)
  }

  hasRows(input: string): boolean {
    return this.#inner.hasRows?.(input) ?? true
  }

  feeds(batch: readonly Unit[]) {
    return this.#inner.feeds(batch)
  }
}
