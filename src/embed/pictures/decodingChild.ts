// The entry of the child process that decodes pictures, one after another. Its own thread stays free while others decode, so that it sees to its memory and its parent.
import { serveParent, watchMemory } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { decodeHere } from './decode.ts'
import type { DecodingOrder, FromDecodingChild } from './decodingProcess.ts'

/** Bytes of a result that are sent at a time: a message is copied several times. */
const PART = 2 ** 20

serveParent('decodingChild.ts')

const send = (message: FromDecodingChild) =>
  new Promise<void>((resolve) => process.send?.(message, () => resolve()))

process.on('message', async ({ memory, name, data, making, maxPixels }: DecodingOrder) => {
  const stop = watchMemory(memory, () => void send({ kind: 'memory' }))
  try {
    const made = await decodeHere({ name, data }, making, { maxPixels })
    const { data: bytes, ...shape } = made instanceof Uint8Array ? { data: made } : made
    await send({ kind: 'made', length: bytes.length, ...('width' in shape && { shape }) })
    for (let at = 0; at < bytes.length; at += PART)
      await send({ kind: 'part', data: bytes.subarray(at, at + PART) })
  } catch (error) {
    if (error instanceof PipiloError) await send({ kind: 'failed', error: error.toJSON() })
    else await send({ kind: 'broken', why: String(error) })
  } finally {
    stop()
  }
})

void send({ kind: 'ready' })
