// Locks made of files, which the death of their holder frees: across handles, threads, processes and machines.
import { createHash, randomUUID } from 'node:crypto'
import { constants, fstat, read as readFrom } from 'node:fs'
import {
  access,
  copyFile,
  type FileHandle,
  link,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  utimes,
} from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { abortError } from '../abort.ts'

import { fileError, temporaryName } from './atomic.ts'
import { makeFolder } from './folder.ts'

/** Milliseconds between the holder's signs of life, and of silence until a lock is freed whose holder cannot be seen. */
const heartbeat = 2_000
const silence = 30_000

const ABORTED = 'Waiting for a lock was stopped.'

/**
 * Runs `work` while holding a lock that only one can hold: among handles, threads, processes, and machines that share the disk.
 *
 * @example
 * ```ts
 * await withLock('.pipilo/.locks/birds.lock', signal, async () => …)
 * ```
 *
 * @remarks
 * The lock is a file, made complete by one hard link, and removed at the end. It says who holds it, so that others can look
 * whether the holder still lives. On Linux that is certain and quick: the holder keeps the file open, and the kernel closes
 * it when a thread or process ends, however that comes. Elsewhere the process is looked up by its number. Where neither is
 * possible (another machine, another container, another process's thread outside Linux), the holder touches the file every two
 * seconds, and who sees no touch for 30 s, by a clock of its own, takes the lock over.
 *
 * Who waits stands in line (a second lock, `….next`), so that a busy holder does not come twice before them.
 *
 * @throws `ABORTED` when the signal comes while waiting; `WRITE_FAILED`; what `work` throws passes through
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const release = await takeLock(path, signal)
  try {
    return await work()
  } finally {
    await release()
  }
}

export type Release = () => Promise<void>

/**
 * Takes a lock as {@link withLock} does, for work that no single call holds.
 *
 * @example
 * ```ts
 * const release = await takeLock('runs/mine/.lock', AbortSignal.timeout(2000))
 * ```
 *
 * @returns what frees it
 * @throws `ABORTED` when the signal comes while waiting; `WRITE_FAILED`
 */
export async function takeLock(path: string, signal: AbortSignal | undefined): Promise<Release> {
  const line = `${path}.next`
  if (signal?.aborted) throw abortError(signal, ABORTED)
  if (!(await exists(line))) {
    const release = await tryLock(path)
    if (release) return release
  }
  const leave = await waitFor(line, signal)
  try {
    return await waitFor(path, signal)
  } finally {
    await leave()
  }
}

async function waitFor(path: string, signal: AbortSignal | undefined): Promise<Release> {
  const watched: Watched = new Map()
  const start = performance.now()
  for (;;) {
    const release = await tryLock(path, watched)
    if (release) return release
    const pause = Math.min(50, 5 + (performance.now() - start) / 20)
    await sleep(pause * (0.5 + Math.random()), undefined, signal ? { signal } : {}).catch(() => {
      throw abortError(signal, ABORTED)
    })
  }
}

/**
 * Takes a lock as {@link takeLock} does if it is free or its holder is dead; never waits.
 *
 * @param watched what earlier calls saw of it: only over two calls, {@link silence} apart, can a holder be found dead that cannot be seen
 * @returns what frees it; undefined when another holds it
 * @throws `WRITE_FAILED`
 */
export async function tryLock(path: string, watched: Watched = new Map()): Promise<Release | undefined> {
  const seen = await contentOf(path)
  if (seen !== undefined && !(await isDead(path, seen, watched))) return
  const mine = await prepare(path)
  let taken = false
  try {
    taken = seen === undefined ? await claim(path, mine) : await takeOver(path, seen, mine, watched)
  } catch (error) {
    throw fileError(error, path, 'write')
  } finally {
    await rm(mine.temporary, { force: true })
    if (!taken) await mine.file.close()
  }
  if (!taken) return
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {}) // Taken over by somebody who did not see us.
  }, heartbeat)
  beat.unref()
  return async () => {
    clearInterval(beat)
    // Closed last: as long as the lock is there, others must see that its holder lives.
    if ((await contentOf(path)) === mine.content) await rm(path, { force: true })
    await mine.file.close()
  }
}

/** A lock that is written, and not yet at its place. */
interface Prepared {
  readonly temporary: string
  readonly content: string
  /** Open for as long as the lock is held. */
  readonly file: FileHandle
}

async function prepare(path: string): Promise<Prepared> {
  const temporary = temporaryName(path)
  try {
    const file = await open(temporary, 'wx+').catch(async (error: unknown) => {
      if (!isCode(error, 'ENOENT')) throw error
      await makeFolder(dirname(path))
      return open(temporary, 'wx+')
    })
    try {
      const holder: Holder = { id: randomUUID(), ...(await thisProcess()), fd: file.fd }
      const content = JSON.stringify(holder)
      await file.writeFile(content)
      return { temporary, content, file }
    } catch (error) {
      await file.close()
      await rm(temporary, { force: true })
      throw error
    }
  } catch (error) {
    throw fileError(error, path, 'write')
  }
}

/** Puts a lock where there is none; false when somebody was faster. */
async function claim(path: string, { temporary, content }: Prepared): Promise<boolean> {
  try {
    await link(temporary, path)
    return true
  } catch {
    try {
      // Some file systems have no hard links; of some, an answer may be lost on the network after the link was made.
      await copyFile(temporary, path, constants.COPYFILE_EXCL)
      return true
    } catch (error) {
      if (isCode(error, 'EEXIST')) return (await contentOf(path)) === content
      // Windows, while the lock before is being removed.
      if (process.platform === 'win32' && isCode(error, 'EPERM', 'EACCES', 'EBUSY')) return false
      throw error
    }
  }
}

/**
 * Puts a lock in the place of a dead holder's. Of all who see it dead, one may: who holds a lock named after that dead one, and
 * still sees it there. A dead lock, once replaced, never comes back.
 */
async function takeOver(path: string, dead: string, mine: Prepared, watched: Watched): Promise<boolean> {
  const name = createHash('sha256').update(dead).digest('hex').slice(0, 16)
  const release = await tryLock(`${path}.${name}`, watched)
  if (!release) return false
  try {
    if ((await contentOf(path)) !== dead) return false
    await rename(mine.temporary, path)
    await clearUp(path)
    return true
  } finally {
    await release()
  }
}

/** Removes the unfinished locks of holders that are known to be dead: one killed between two steps leaves its temporary file. */
async function clearUp(path: string): Promise<void> {
  const folder = dirname(path)
  const isOurs = (name: string) => name.startsWith(`.${basename(path)}.`) && name.endsWith('.tmp')
  const left = (await readdir(folder).catch(() => [])).filter(isOurs).map((name) => join(folder, name))
  for (const file of left) {
    const content = await readFile(file, 'utf8').catch(() => '')
    const holder = parse(content)
    if (holder && (await isAlive(holder, content)) === false) await rm(file, { force: true }).catch(() => {})
  }
}

/** When a lock was last touched by its holder, and when, by our clock, we saw that first. */
export type Watched = Map<
  string,
  { readonly content: string; readonly touched: number; readonly since: number }
>

async function isDead(path: string, content: string, watched: Watched): Promise<boolean> {
  const holder = parse(content)
  const alive = holder && (await isAlive(holder, content))
  if (alive !== undefined) return !alive
  // Clocks of other machines may differ, and ours may be set: only our own time between two looks counts.
  const touched = (await stat(path).catch(() => undefined))?.mtimeMs
  if (touched === undefined) return false
  const before = watched.get(path)
  const now = performance.now()
  if (before?.content === content && before.touched === touched) return now - before.since > silence
  watched.set(path, { content, touched, since: now })
  return false
}

interface Holder {
  readonly id: string
  readonly pid: number
  /** Scope in which `pid` is unique: a machine since it was started, and on Linux a container. */
  readonly place: string
  /** When the process began, where that is known: a later process may get its number. */
  readonly began?: string | undefined
  /** Its open file of this content: in that process, as long as the thread lives that holds the lock. */
  readonly fd: number
}

/** Undefined when it cannot be known from here. */
async function isAlive(holder: Holder, content: string): Promise<boolean | undefined> {
  const here = await thisProcess()
  if (holder.place !== here.place) return
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if (isCode(error, 'ESRCH')) return false
  }
  if (here.began !== undefined) {
    const about = await processOf(holder.pid)
    if (!about) return
    if (about.ended || about.began !== holder.began) return false
    return isOpen(`/proc/${holder.pid}/fd/${holder.fd}`, content)
  }
  return holder.pid === here.pid ? isOpenHere(holder.fd, content) : undefined
}

/** True if another process's open file has this content, or may not be looked at: its process then lives. */
async function isOpen(path: string, content: string): Promise<boolean> {
  try {
    const about = await stat(path)
    // Reading anything but a plain file may take something out of it.
    return (
      about.isFile() &&
      about.size === Buffer.byteLength(content) &&
      (await readFile(path, 'utf8')) === content
    )
  } catch (error) {
    return !isCode(error, 'ENOENT')
  }
}

/** True if this process has a file of this content open; its threads share the numbers of open files. */
async function isOpenHere(fd: number, content: string): Promise<boolean> {
  try {
    const size = Buffer.byteLength(content)
    const about = await promisify(fstat)(fd)
    if (!about.isFile() || about.size !== size) return false
    const { buffer } = await promisify(readFrom)(fd, Buffer.alloc(size), 0, size, 0)
    return buffer.toString('utf8') === content
  } catch {
    return false
  }
}

function parse(content: string): Holder | undefined {
  try {
    const holder = JSON.parse(content) as Partial<Holder> | null
    const valid =
      Number.isInteger(holder?.pid) && Number.isInteger(holder?.fd) && typeof holder?.place === 'string'
    return valid ? (holder as Holder) : undefined
  } catch {
    return // Half written, or not ours.
  }
}

const thisProcess = (): Promise<Pick<Holder, 'pid' | 'place' | 'began'>> => {
  known ??= (async () => {
    const place = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readlink('/proc/self/ns/pid'),
    ]).catch(() => [hostname()])
    const about = place.length > 1 ? await processOf(process.pid) : undefined
    return { pid: process.pid, place: place.join(' ').replaceAll('\n', ''), began: about?.began }
  })()
  return known
}
let known: ReturnType<typeof thisProcess> | undefined

/** Linux: when a process began, and whether it has ended and only waits to be reaped. Undefined when it may not be seen. */
async function processOf(pid: number): Promise<{ began: string; ended: boolean } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The name before may hold spaces and brackets.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  const began = fields?.[19]
  return began === undefined ? undefined : { began, ended: /^[ZXx]$/.test(fields![0]!) }
}

const isCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

function contentOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return
    // Windows, while it is being removed.
    if (process.platform === 'win32' && isCode(error, 'EPERM', 'EACCES', 'EBUSY')) return ''
    throw fileError(error, path, 'write')
  })
}
