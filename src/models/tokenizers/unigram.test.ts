import { describe, expect, it } from 'vitest'
import { unigram } from './unigram.ts'

const pieces = ['�', '<s>', '</s>', 'x1', 'x2', 'x3', '▁a'].map((piece, i) => [piece, i < 6 ? 0 : null])

describe('unigram', () => {
  it('makes a tokenizer.json of pieces and scores, whose start of a sentence pads', () => {
    const made = unigram(pieces, 'vocab.json')
    expect(made.model).toMatchObject({ type: 'Unigram', unk_id: 0, reserved: 6 })
    expect((made.model['vocab'] as unknown[]).at(-1)).toEqual(['▁a', 0])
    expect(made.padding).toMatchObject({ pad_id: 1, pad_token: '<s>' })
    expect(made.added_tokens).toEqual([])
  })

  it.each<[string, unknown[]]>([
    ['words instead of pairs', ['a', 'b', 'c', 'd', 'e', 'f', 'g']],
    ['a score that is no number', [...pieces, ['b', '-1']]],
    ['an empty piece', [...pieces, ['', -1]]],
    ['too few pieces', pieces.slice(0, 6)],
  ])('refuses %s', (_, entries) => {
    expect(() => unigram(entries, 'vocab.json of x')).toThrow(
      expect.objectContaining({
        code: 'FORMAT_INVALID',
        message: expect.stringContaining('vocab.json of x'),
      }),
    )
  })
})
