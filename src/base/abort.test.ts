import { expect, it } from 'vitest'
import { abortError, onAbort, orAborted, throwIfAborted } from './abort.ts'
import { PipiloError } from './errors.ts'

it('says that work was given up, with the signal’s reason as the cause', async () => {
  const signal = AbortSignal.abort('enough')
  expect(abortError(signal, 'The run was aborted.')).toMatchObject({
    code: 'ABORTED',
    message: 'The run was aborted.',
    cause: 'enough',
  })
  expect(() => throwIfAborted(signal)).toThrow(PipiloError)
  // An error of ours that led to it is handed on; any other is a reason like others.
  const ours = abortError(signal)
  expect(abortError(AbortSignal.abort(ours))).toBe(ours)
  const other = new PipiloError('NETWORK', 'The hub does not answer.')
  expect(abortError(AbortSignal.abort(other))).toMatchObject({ code: 'ABORTED', cause: other })
})

it('has one listener on a signal, however many wait, and calls those that still do', () => {
  const stop = new AbortController()
  const { addEventListener } = stop.signal
  let listeners = 0
  stop.signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
    listeners++
    addEventListener.apply(stop.signal, given)
  }
  const called: number[] = []
  const leave = Array.from({ length: 50 }, (_, i) => onAbort(stop.signal, () => called.push(i)))
  for (const stop of leave.slice(2)) stop()
  stop.abort()
  stop.abort()
  expect([listeners, called]).toEqual([1, [0, 1]])
})

it('waits for what settles first, and no longer than until the signal', async () => {
  const stop = new AbortController()
  const never = new Promise<never>(() => {})
  expect(await orAborted(stop.signal, never, Promise.resolve(2))).toBe(2)
  const waiting = orAborted(stop.signal, never)
  stop.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
  await expect(orAborted(stop.signal, never)).rejects.toMatchObject({ code: 'ABORTED' })
})
