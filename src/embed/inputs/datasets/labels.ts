// Gives the labels of a data set their class indices.
import { closest, PipiloError } from '../../../base/index.ts'
import type { ReadDatasetOptions } from './types.ts'

/** Largest label that stays an integer: classes are listed, so one number in a file may not ask for more. */
const MOST = 1 << 20

const integer = /^-?(?:0|[1-9]\d*)$/

/** Label of every row, and the names of the classes. */
export interface Labels {
  readonly labels: Int32Array
  readonly classes: readonly string[]
}

/** The class index of one label, where the classes are known. */
export type LabelIndex = (label: string | number, where: string) => number

/** Orders as Python does, by code points. */
export const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** Looks labels up among given classes: texts by name, or as an index where no class has that name. */
export function knownClasses(classes: readonly string[]): LabelIndex {
  const places = new Map(classes.map((name, i) => [name, i]))
  if (places.size !== classes.length || classes.length === 0) {
    throw new PipiloError('OPTION_INVALID', 'classes has to be a list of different names, at least one.', {
      input: 'classes',
    })
  }
  return (label, where) => {
    const place = typeof label === 'string' ? places.get(label) : undefined
    if (place !== undefined) return place
    if (typeof label === 'number' || integer.test(label)) {
      if (Number(label) >= 0 && Number(label) < classes.length) return Number(label)
      throw outOfRange(label, where, `the ${classes.length} classes count from 0`)
    }
    const [like] = closest(label, classes, 1)
    throw new PipiloError(
      'INPUT_INVALID',
      `${where} has the label '${label}', which is none of the classes.`,
      {
        input: where,
        ...(like && { hint: `Did you mean '${like}'?` }),
      },
    )
  }
}

/** The index of labels that come one by one: integers as they are, names only where the classes are known. */
export function streamedLabels(classes: readonly string[] | undefined): LabelIndex {
  if (classes) return knownClasses(classes)
  return (label, where) => {
    if (typeof label === 'number') {
      if (label >= 0 && label <= MOST) return label
      throw outOfRange(label, where, 'labels count from 0')
    }
    throw new PipiloError(
      'INPUT_INVALID',
      `${where} has the label '${label}', and no index is known for it.`,
      {
        input: where,
        hint: 'Name the classes in their order (classes: […]), or collect the rows first: collectDataset.',
      },
    )
  }
}

const outOfRange = (label: string | number, where: string, range: string): PipiloError =>
  new PipiloError('INPUT_INVALID', `${where} has the label ${label}, which is out of range: ${range}.`, {
    input: where,
    hint: "If they are names that look like numbers, say labels: 'names'.",
  })

/** Takes the labels of a source one after the other. */
export class LabelCollector {
  readonly #known: LabelIndex | undefined
  readonly #options: Pick<ReadDatasetOptions, 'classes' | 'labels'>
  /** Every different label, with the place where it was met first. */
  readonly #met = new Map<string | number, { readonly place: number; readonly where: string }>()
  #places = new Int32Array(1024)
  #length = 0

  constructor(options: Pick<ReadDatasetOptions, 'classes' | 'labels'>) {
    this.#options = options
    this.#known = options.classes && knownClasses(options.classes)
  }

  /** @throws PipiloError `INPUT_INVALID` for one that is none of the given classes */
  add(label: string | number, where: string): void {
    let place: number
    if (this.#known) place = this.#known(label, where)
    else {
      const met = this.#met.get(label) ?? { place: this.#met.size, where }
      this.#met.set(label, met)
      place = met.place
    }
    if (this.#length === this.#places.length) {
      const larger = new Int32Array(2 * this.#length)
      larger.set(this.#places)
      this.#places = larger
    }
    this.#places[this.#length++] = place
  }

  /** @param textual integers, too, were read as texts */
  finish(textual: boolean): Labels {
    const places = this.#places.slice(0, this.#length)
    const { classes } = this.#options
    if (classes) return { labels: places, classes }
    const met = [...this.#met.keys()]
    const names = met.filter((label) => typeof label === 'string')
    const areNames = this.#options.labels === 'names' || names.some((name) => !textual || !integer.test(name))
    const indices = areNames ? this.#sorted(met, textual) : this.#integers(met)
    return { labels: places.map((place) => indices.of[place]!), classes: indices.classes }
  }

  #sorted(met: readonly (string | number)[], textual: boolean) {
    const odd =
      textual || this.#options.labels === 'names' ? undefined : met.find((label) => typeof label === 'number')
    if (odd !== undefined) {
      const { where } = this.#met.get(odd)!
      throw new PipiloError(
        'INPUT_INVALID',
        `${where} has the integer ${odd} for a label, and other rows have names.`,
        {
          input: where,
          hint: "Write all of them as one or the other, or say labels: 'names'.",
        },
      )
    }
    const all = met.map(String)
    const classes = [...new Set(all)].sort(byCodePoint)
    const index = new Map(classes.map((name, i) => [name, i]))
    return { classes, of: all.map((name) => index.get(name)!) }
  }

  #integers(met: readonly (string | number)[]) {
    let largest = -1
    for (const label of met) {
      const value = Number(label)
      const { where } = this.#met.get(label)!
      if (value < 0) throw outOfRange(label, where, 'labels count from 0')
      if (value > MOST) throw outOfRange(label, where, `the largest that is taken is ${MOST}`)
      largest = Math.max(largest, value)
    }
    return { classes: Array.from({ length: largest + 1 }, (_, i) => String(i)), of: met.map(Number) }
  }
}
