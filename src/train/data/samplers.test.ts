import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classSampler } from './classSampler.ts'
import { classCounts, classWeights } from './classWeights.ts'
import { distinctSampler, type SampleKeys } from './distinctSampler.ts'
import { permutation } from './permutation.ts'
import { plainSampler, type Sampler } from './sampler.ts'

const all = (sampler: Sampler, epoch: number, startAt = 0) => [...sampler.batches(epoch, startAt)]
const sorted = (batches: number[][]) => batches.flat().sort((a, b) => a - b)
const upTo = (length: number) => Array.from({ length }, (_, i) => i)
const seed = fc.integer()
const epoch = fc.nat(50)

describe('permutation', () => {
  it('has every number once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), seed, (length, seed) => {
        const order = permutation(length, seed, 'a')
        expect(sorted([upTo(length).map(order)])).toEqual(upTo(length))
      }),
    )
  })

  it('differs from epoch to epoch, and is the same for one', () => {
    const places = (name: string) => upTo(1000).map(permutation(1000, 7, name))
    expect(places('order 0')).toEqual(places('order 0'))
    expect(places('order 0')).not.toEqual(places('order 1'))
  })

  it('puts each sample at each place equally often', () => {
    // Chi-square of 100 cells with 99 degrees of freedom: above 148.2 in one of a thousand.
    const counts = new Float64Array(100)
    for (let i = 0; i < 5000; i++) counts[permutation(100, i, 'order')(17)]!++
    expect(counts.reduce((sum, count) => sum + (count - 50) ** 2 / 50, 0)).toBeLessThan(148)
    // Neighbours are as far apart as chance has them: a third of the length.
    const order = permutation(30_000, 3, 'order')
    const gaps = upTo(29_999).map((i) => Math.abs(order(i) - order(i + 1)))
    expect(gaps.reduce((a, b) => a + b) / gaps.length / 30_000).toBeCloseTo(1 / 3, 2)
  })
})

describe('plainSampler', () => {
  const options = fc.record({ batch: fc.integer({ min: 1, max: 70 }), seed, shuffle: fc.boolean() })

  it('has every sample once an epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), options, epoch, (length, options, epoch) => {
        const sampler = plainSampler(length, options)
        const batches = all(sampler, epoch)
        expect(batches).toHaveLength(sampler.length!)
        expect(sorted(batches)).toEqual(upTo(length))
        if (!options.shuffle) expect(batches.flat()).toEqual(upTo(length))
      }),
    )
  })

  it('goes on where it stopped', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        options,
        epoch,
        fc.nat(20),
        (length, options, epoch, at) => {
          const sampler = plainSampler(length, options)
          expect(all(sampler, epoch, at)).toEqual(all(sampler, epoch).slice(at))
        },
      ),
    )
  })

  it('leaves the smaller batch out', () => {
    const sampler = plainSampler(10, { batch: 4, dropLast: true })
    expect(all(sampler, 0).map((batch) => batch.length)).toEqual([4, 4])
    expect(() => plainSampler(3, { batch: 4, dropLast: true })).toThrow(
      'No batch of 4 is full with 3 samples',
    )
    expect(() => plainSampler(3, { batch: 0 })).toThrow('batch is 0')
    expect(() => plainSampler(3, { batch: 1, seed: 0.5 })).toThrow('seed is 0.5')
  })

  it('begins in the middle of an epoch of any length at once', () => {
    const length = 2 ** 44
    const [first] = plainSampler(length, { batch: 4, seed: 1 }).batches(0, 2 ** 41)
    expect(new Set(first).size).toBe(4)
    for (const index of first!) expect(index).toBeLessThan(length)
  })
})

describe('classSampler', () => {
  const cases = fc
    .record({
      sizes: fc.array(fc.integer({ min: 4, max: 20 }), { minLength: 2, maxLength: 12 }),
      samples: fc.integer({ min: 1, max: 4 }),
      seed,
    })
    .chain((each) =>
      fc.record({ given: fc.constant(each), classes: fc.integer({ min: 2, max: each.sizes.length }) }),
    )

  it('has P classes with K different samples each, and goes on where it stopped', () => {
    fc.assert(
      fc.property(cases, epoch, fc.nat(10), ({ given: { sizes, samples, seed }, classes }, epoch, at) => {
        const labels = sizes.flatMap((size, label) => new Array<number>(size).fill(label * 3))
        const sampler = classSampler(labels, { classes, samples, seed })
        const batches = all(sampler, epoch)
        expect(batches).toHaveLength(sampler.length!)
        for (const batch of batches) {
          expect(new Set(batch).size).toBe(classes * samples)
          const counts = new Map<number, number>()
          for (const index of batch) counts.set(labels[index]!, (counts.get(labels[index]!) ?? 0) + 1)
          expect([...counts.values()]).toEqual(new Array(classes).fill(samples))
        }
        expect(all(sampler, epoch, at)).toEqual(batches.slice(at))
      }),
    )
  })

  it('has every sample once an epoch where the numbers divide', () => {
    const labels = upTo(6 * 8).map((i) => i % 6)
    const sampler = classSampler(labels, { classes: 3, samples: 4, seed: 5 })
    for (const epoch of [0, 1, 7]) expect(sorted(all(sampler, epoch))).toEqual(upTo(48))
    expect(all(sampler, 0)).not.toEqual(all(sampler, 1))
  })

  it('shows each sample of a class before one comes again', () => {
    const labels = [...new Array<number>(4).fill(0), ...new Array<number>(40).fill(1)]
    const sampler = classSampler(labels, { classes: 2, samples: 2, seed: 5 })
    const shown = [0, 1].flatMap((epoch) => all(sampler, epoch).flat())
    const large = shown.filter((index) => labels[index] === 1)
    expect(new Set(large.slice(0, 40)).size).toBe(40)
  })

  it('refuses one class, and classes that are too small unless told how to take them', () => {
    const two = { classes: 2, samples: 2 }
    expect(() => classSampler([1, 1, 1, 1], two)).toThrow('there is 1 class')
    expect(() => classSampler([0, 0, 1, 1, 2], two)).toThrow('class 2 has 1')
    const dropped = all(classSampler([0, 0, 1, 1, 2], { ...two, few: 'drop' }), 0).flat()
    expect(dropped).not.toContain(4)
    const repeated = all(classSampler([0, 1], { ...two, few: 'repeat' }), 0)
    expect(sorted(repeated)).toEqual([0, 0, 1, 1])
    expect(() => classSampler([0, 1], { ...two, classes: 1 })).toThrow('classes is 1')
  })
})

describe('distinctSampler', () => {
  const keysOf = (rows: number[][]): SampleKeys => ({
    length: rows.length,
    columns: ['anchor', 'positive'],
    keys: Float64Array.from(rows.flat()),
  })
  const rows = fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 31, max: 60 })), {
    minLength: 20,
    maxLength: 80,
  })

  it('has every sample once, no key twice in a batch, and goes on where it stopped', () => {
    fc.assert(
      fc.property(rows, seed, epoch, fc.nat(8), (rows, seed, epoch, at) => {
        const batch = Math.min(...[0, 1].map((k) => new Set(rows.map((row) => row[k])).size), 8)
        const sampler = distinctSampler(keysOf(rows), { batch, seed })
        const batches = all(sampler, epoch)
        expect(sorted(batches)).toEqual(upTo(rows.length))
        for (const indices of batches) {
          const keys = indices.flatMap((index) => rows[index]!)
          expect(new Set(keys).size).toBe(keys.length)
        }
        expect(all(sampler, epoch, at)).toEqual(batches.slice(at))
        const full = all(distinctSampler(keysOf(rows), { batch, seed, dropLast: true }), epoch)
        expect(full).toEqual(batches.filter((indices) => indices.length === batch))
      }),
    )
  })

  it('is that of sentence-transformers in its order', () => {
    // Of the order 0…5: 1 shares a key with 0 and waits, then is the first of the next batch; so does 4 with 3.
    const rows = [[0, 10], [0, 11], [1, 12], [2, 13], [3, 13], [4, 14]] // biome-ignore format: one line says it
    const sampler = distinctSampler(keysOf(rows), { batch: 3, shuffle: false })
    expect(all(sampler, 0)).toEqual([
      [0, 2, 3],
      [1, 4, 5],
    ])
  })

  it('refuses a batch that is never full', () => {
    const keys = { length: 6, columns: ['label'], keys: Float64Array.of(1, 2, 3, 1, 2, 3) }
    expect(() => distinctSampler(keys, { batch: 4 })).toThrow('the column label has 3 different values')
  })
})

describe('classWeights', () => {
  it("is scikit-learn's balanced", () => {
    // compute_class_weight('balanced', classes=[0, 1, 2], y=[0, 0, 0, 1, 1, 2])
    expect([...classWeights([0, 0, 0, 1, 1, 2], 3)]).toEqual([2 / 3, 1, 2].map(Math.fround))
    expect([...classWeights([0, 0, 2, 2], 3)]).toEqual([1, 0, 1])
    expect([...classCounts([0, 2, 2], 3)]).toEqual([1, 0, 2])
    expect(() => classWeights([0, 3], 3)).toThrow('Sample 1 has the label 3')
  })
})
