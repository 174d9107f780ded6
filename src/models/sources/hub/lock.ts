import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileError } from '../../../base/files/index.ts'
import { abortError } from '../../../base/index.ts'
import { ABORTED } from './request.ts'

/** Milliseconds between the holder's signs of life, and without one until others take the lock over. */
const heartbeat = 2_000
const stale = 15_000

/**
 * Runs `work` while holding a lock that all processes (also those of other machines on a shared disk) respect: a file that
 * only one can create, touched every two seconds. The lock of a process that died is taken over.
 *
 * Node cannot take the `flock` of Python's client, so what is written under this lock has names of our own, and
 * the finished file is renamed into place.
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const mine = JSON.stringify({ id: randomUUID(), pid: process.pid, host: hostname() })
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw fileError(error, path, 'write')
  })
  while (!(await acquire(path, mine))) {
    await sleep(50, undefined, signal ? { signal } : {}).catch(() => {
      throw abortError(signal, ABORTED)
    })
  }
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => undefined)
  }, heartbeat)
  beat.unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    if ((await read(path)) === mine) await rm(path, { force: true })
  }
}

async function acquire(path: string, mine: string): Promise<boolean> {
  try {
    await writeFile(path, mine, { flag: 'wx' })
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) {
      throw fileError(error, path, 'write')
    }
  }
  const seen = await read(path)
  if (seen === undefined || !(await isDead(path, seen))) return false
  // Another waiter may have replaced the dead lock since we looked: what we moved away must be what we saw.
  const aside = `${path}.${randomUUID()}`
  await rename(path, aside).catch(() => undefined)
  const moved = await read(aside)
  if (moved !== undefined && moved !== seen) await link(aside, path).catch(() => undefined)
  await rm(aside, { force: true })
  return false
}

async function isDead(path: string, content: string): Promise<boolean> {
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  )
  if (age > stale) return true
  const holder = parse(content)
  if (!holder || holder.host !== hostname()) return false
  try {
    process.kill(holder.pid, 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}

function parse(content: string): { pid: number; host: string } | undefined {
  try {
    const { pid, host } = JSON.parse(content)
    return typeof pid === 'number' && typeof host === 'string' ? { pid, host } : undefined
  } catch {
    return undefined // Its holder is just writing it.
  }
}

function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}
