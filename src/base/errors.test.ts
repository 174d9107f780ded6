import { expect, it } from 'vitest'
import { PipiloError } from './errors.ts'

it('An error is plain data, and an error again, with its code, hint, input and cause.', () => {
  const inner = new PipiloError('FILE_NOT_FOUND', 'There is no a.onnx.', {
    input: 'a.onnx',
    cause: new RangeError('far'),
  })
  const error = new PipiloError('MODEL_INVALID', 'The model is none.', {
    hint: 'Fetch it again.',
    input: 3,
    cause: inner,
  })
  const written = JSON.parse(JSON.stringify(error))
  expect(written).toEqual({
    name: 'PipiloError',
    code: 'MODEL_INVALID',
    message: 'The model is none. Fetch it again.',
    hint: 'Fetch it again.',
    input: 3,
    cause: {
      name: 'PipiloError',
      code: 'FILE_NOT_FOUND',
      message: 'There is no a.onnx.',
      input: 'a.onnx',
      cause: { name: 'RangeError', message: 'far' },
    },
  })
  const again = PipiloError.fromJSON(written)
  expect(again).toBeInstanceOf(PipiloError)
  expect(again).toEqual(error)
  expect(again.hint).toBe(error.hint)
  expect((again.cause as PipiloError).code).toBe('FILE_NOT_FOUND')
  expect(((again.cause as PipiloError).cause as Error).name).toBe('RangeError')
  expect(again.toJSON()).toEqual(written)
})

it('What an error does not have, its JSON does not have either.', () => {
  const error = new PipiloError('ABORTED', 'The work was cancelled.', { cause: 'enough' })
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    name: 'PipiloError',
    code: 'ABORTED',
    message: 'The work was cancelled.',
    cause: { name: 'Error', message: 'enough' },
  })
})
