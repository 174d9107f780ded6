import { describe, expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { IGNORED_LABEL, type TokenMaskOptions, tokenMask } from './tokens.ts'

const [COUNT, LENGTH, VOCABULARY, MASK] = [200, 64, 1000, 4]
/** [CLS], tokens, [SEP], padding. */
const ids = Array.from({ length: COUNT * LENGTH }, (_, i) => {
  const place = i % LENGTH
  if (place === 0) return 1
  return place === 50 ? 2 : place > 50 ? 0 : 10 + ((i * 7) % 900)
})
const options: TokenMaskOptions = {
  input_ids: tensor('int64', [COUNT, LENGTH], ids),
  vocabularySize: VOCABULARY,
  maskId: MASK,
  specialIds: [0, 1, 2],
  seed: 7,
  step: 3,
}

const numbers = (data: unknown) => Array.from(data as BigInt64Array, Number)

describe('tokenMask', () => {
  it('chooses 15 % of the tokens: 80 % become [MASK], 10 % random ones, 10 % stay', () => {
    const { input_ids, labels } = tokenMask(options)
    const [fresh, wanted] = [numbers(input_ids.data), numbers(labels.data)]
    const tokens = ids.filter((id) => id > 2).length
    const chosen = wanted.flatMap((label, i) => (label === IGNORED_LABEL ? [] : [i]))
    const near = (share: number, p: number, n: number) =>
      expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / n))
    near(chosen.length / tokens, 0.15, tokens)
    near(chosen.filter((i) => fresh[i] === MASK).length / chosen.length, 0.8, chosen.length)
    near(chosen.filter((i) => fresh[i] === ids[i]).length / chosen.length, 0.1, chosen.length)
    for (const i of chosen) expect(wanted[i]).toBe(ids[i])
    for (const [i, id] of ids.entries()) {
      if (wanted[i] === IGNORED_LABEL) expect(fresh[i]).toBe(id)
      if (id <= 2) expect(wanted[i]).toBe(IGNORED_LABEL)
    }
    const random = chosen.map((i) => fresh[i]!).filter((id, n) => id !== MASK && id !== ids[chosen[n]!])
    expect(Math.max(...random)).toBeLessThan(VOCABULARY)
    expect(Math.abs(random.reduce((sum, id) => sum + id, 0) / random.length - 500)).toBeLessThan(100)
  })

  it('chooses the same again, others in another step, and nothing where attention is 0', () => {
    expect(tokenMask(options)).toEqual(tokenMask(options))
    expect(tokenMask({ ...options, step: 4 })).not.toEqual(tokenMask(options))
    const attention_mask = tensor(
      'int64',
      [COUNT, LENGTH],
      ids.map((_, i) => Number(i % LENGTH < 20)),
    )
    const labels = numbers(tokenMask({ ...options, attention_mask }).labels.data)
    expect(labels.filter((label, i) => i % LENGTH >= 20 && label !== IGNORED_LABEL)).toEqual([])
    expect(numbers(options.input_ids.data)).toEqual(ids)
  })

  it('chooses all or none when told so', () => {
    const all = tokenMask({ ...options, ratio: 1, masked: 1, random: 0 })
    expect(numbers(all.input_ids.data)).toEqual(ids.map((id) => (id > 2 ? MASK : id)))
    expect(tokenMask({ ...options, ratio: 0 }).input_ids).toEqual(options.input_ids)
  })

  it.each<[Partial<TokenMaskOptions>, string, string | number]>([
    [{ ratio: 1.2 }, 'OPTION_INVALID', 'ratio'],
    [{ masked: 0.8, random: 0.3 }, 'OPTION_INVALID', 'random'],
    [{ maskId: 1000 }, 'OPTION_INVALID', 'maskId'],
    [{ specialIds: [-1] }, 'OPTION_INVALID', 'specialIds'],
    [{ vocabularySize: 0 }, 'OPTION_INVALID', 'vocabularySize'],
    [{ vocabularySize: 500 }, 'INPUT_INVALID', 1],
    [{ input_ids: tensor('int32', [1, 2], [1, 2]) }, 'DTYPE_MISMATCH', 'input_ids'],
    [{ input_ids: tensor('int64', [2], [1, 2]) }, 'SHAPE_MISMATCH', 'input_ids'],
    [{ attention_mask: tensor('int64', [1, 2], [1, 1]) }, 'SHAPE_MISMATCH', 'attention_mask'],
  ])('refuses what is none, case %#', (changed, code, input) => {
    expect(() => tokenMask({ ...options, ...changed })).toThrow(expect.objectContaining({ code, input }))
  })
})
