import { describe, expect, it } from 'vitest'
import { timmArguments } from './timmArguments.ts'

const of = (model_args: object) => timmArguments('a model', { model_args })

describe('arguments of a timm model', () => {
  it('that change no number are passed over, others are taken or renamed', () => {
    expect(of({ drop_path_rate: 0.1, depth: 3, act_layer: 'gelu' })).toEqual({ depth: 3, act: 'gelu' })
  })

  it('are refused by their whole names', () => {
    const long = `drop_block${'_'.repeat(90)}and_another_word`
    expect(of({ drop_block_size: 3 })).toEqual({})
    for (const name of ['drop_bloc', `${long}\n`, long, `${'x'.repeat(2 ** 20)}drop_rate`])
      expect(() => of({ [name]: 3 })).toThrow(
        expect.objectContaining({
          code: 'FORMAT_UNSUPPORTED',
          message: expect.stringContaining(`set ${name.slice(0, 100)} to 3`),
        }),
      )
  })
})
