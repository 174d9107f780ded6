import { describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { isConflict, lanceError, retrying } from './lanceErrors.ts'

// What LanceDB 0.37 says on a full disk, on a read-only one, and when another writer was faster.
const full =
  'Failed to execute merge insert: GenericFailure, lance error: LanceError(IO): No space left on device (os error 28)'
const readOnly =
  'Failed to execute merge insert: GenericFailure, lance error: LanceError(IO): Read-only file system (os error 30) at path "/db/x.lance/data/.tmpuKTghw"'
const conflict =
  'lance error: Retryable commit conflict for version 259: This Rewrite transaction was preempted by concurrent transaction Update at version 259. Please retry., /usr/local/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/lance-10.0.0/src/io/commit/conflict_resolver.rs:799:34  Caused by: …'

describe('lanceError', () => {
  it('tells a disk that refuses from a database that fails', () => {
    expect(lanceError(new Error(full), 'No')).toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringMatching(/^No: No space left on device \(os error 28\)\. Check that the disk/),
    })
    expect(lanceError(new Error(readOnly), 'No').code).toBe('WRITE_FAILED')
    expect(lanceError(new Error('Not found: x.lance'), 'No').code).toBe('STORE_FAILED')
  })

  it('leaves the sources of LanceDB out of the sentence, and in the cause', () => {
    const error = lanceError(new Error(conflict), 'Not stored')
    expect(error.message).toMatch(/^Not stored: Retryable commit conflict .* Please retry\.$/)
    expect((error.cause as Error).message).toBe(conflict)
  })

  it('leaves our own errors alone', () => {
    const error = new PipiloError('INPUT_INVALID', 'Wrong.')
    expect(lanceError(error, 'No')).toBe(error)
  })
})

describe('retrying', () => {
  it('repeats what lost a race, not what failed', async () => {
    let calls = 0
    const result = await retrying(async () => {
      if (++calls < 3) throw new Error(conflict)
      return 'done'
    })
    expect([result, calls]).toEqual(['done', 3])
    const failing = retrying(async () => {
      calls++
      throw new Error(full)
    })
    await expect(failing).rejects.toThrow('No space')
    expect(calls).toBe(4)
    expect(isConflict(new Error(full))).toBe(false)
  })

  it('gives up in the end', async () => {
    const losing = async () => {
      throw new Error(conflict)
    }
    await expect(retrying(losing, 2)).rejects.toThrow('conflict')
  })
})
