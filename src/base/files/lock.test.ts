import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withLock } from './lock.ts'

const script = fileURLToPath(new URL('./testdata/lockHolder.ts', import.meta.url))

let folder: string
let path: string
const children = new Set<ChildProcess>()
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
  path = join(folder, 'locks', 'birds.lock')
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  rmSync(folder, { recursive: true, force: true })
})

/** A process that has the lock, or counts under it. */
function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', script, path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.add(child)
  return child
}

async function holder(): Promise<ChildProcess> {
  const child = start()
  await once(child.stdout!, 'data')
  return child
}

const kill = async (child: ChildProcess) => {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

const locks = () => readdirSync(join(folder, 'locks'))

describe('withLock', () => {
  it('lets one in at a time, among calls and processes, and leaves nothing behind', async () => {
    const file = join(folder, 'count')
    writeFileSync(file, '0')
    const others = [start(file, '40'), start(file, '40')].map((child) => once(child, 'exit'))
    const own = Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 20; i++) {
        await withLock(path, undefined, async () => {
          const count = Number(readFileSync(file, 'utf8'))
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
          writeFileSync(file, String(count + 1))
        })
      }
    })
    await Promise.all([...own, ...others])
    expect(readFileSync(file, 'utf8')).toBe('160')
    expect(locks()).toEqual([])
  })

  it('gives a result, or the error of the work, and is free again', async () => {
    expect(await withLock(path, undefined, async () => 7)).toBe(7)
    await expect(
      withLock(path, undefined, async () => {
        throw new RangeError('no')
      }),
    ).rejects.toThrow(RangeError)
    expect(locks()).toEqual([])
  })

  it('is free when its holder was killed, for several who wait, one at a time', async () => {
    const file = join(folder, 'count')
    for (let round = 0; round < 3; round++) {
      writeFileSync(file, '0')
      const held = await holder()
      let inside = 0
      let ended = false
      const waiters = Array.from({ length: 5 }, () =>
        withLock(path, undefined, async () => {
          expect(ended).toBe(true)
          expect(++inside).toBe(1)
          await new Promise((resolve) => setTimeout(resolve, 5))
          inside--
        }),
      )
      const processes = [start(file, '10'), start(file, '10')].map((child) => once(child, 'exit'))
      await new Promise((resolve) => setTimeout(resolve, 200))
      ended = true
      await kill(held)
      await Promise.all([...waiters, ...processes])
      expect(readFileSync(file, 'utf8')).toBe('20')
      expect(locks()).toEqual([])
    }
  })

  it('is free when who stood first in line was killed', async () => {
    const held = await holder()
    const first = start()
    while (!locks().includes('birds.lock.next')) await new Promise((resolve) => setTimeout(resolve, 10))
    await kill(first)
    const waiting = withLock(path, undefined, async () => 'mine')
    held.stdin!.end()
    expect(await waiting).toBe('mine')
    expect(locks()).toEqual([])
  })

  it('clears up after the dead: also the file of one who was killed between writing it and putting it in its place', async () => {
    const held = await holder()
    const [left, foreign] = ['.birds.lock.7.0a0b0c0d.tmp', '.birds.lock.7.0a0b0c0e.tmp']
    writeFileSync(join(folder, 'locks', left), readFileSync(path, 'utf8'))
    writeFileSync(
      join(folder, 'locks', foreign),
      JSON.stringify({ id: 'x', pid: 1, fd: 3, place: 'elsewhere' }),
    )
    await kill(held)
    expect(await withLock(path, undefined, async () => 'mine')).toBe('mine')
    expect(locks()).toEqual([foreign])
  })

  it('is free when the thread that held it was ended', async () => {
    const program = `import('tsx/esm/api').then(({ register }) => {
      register()
      return import(${JSON.stringify(pathToFileURL(script).href)})
    })`
    const worker = new Worker(program, { eval: true, workerData: [path], stdin: true, stdout: true })
    await once(worker, 'message')
    let entered = false
    const waiting = withLock(path, undefined, async () => {
      entered = true
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(entered).toBe(false)
    await worker.terminate()
    await waiting
    expect(locks()).toEqual([])
  })

  it('is not taken for dead because another process has got the number of a dead holder', async () => {
    const held = await holder()
    const content = readFileSync(path, 'utf8')
    await kill(held)
    // As if our own process had been given the number of the dead one.
    writeFileSync(path, JSON.stringify({ ...JSON.parse(content), pid: process.pid }))
    expect(await withLock(path, undefined, async () => 'mine')).toBe('mine')
  })

  it('is never taken from one who lives, however long ago the file was touched', async () => {
    const held = await holder()
    held.kill('SIGSTOP')
    utimesSync(path, new Date(0), new Date(0))
    await expect(withLock(path, AbortSignal.timeout(300), async () => 'mine')).rejects.toMatchObject({
      code: 'ABORTED',
    })
    held.kill('SIGCONT')
    held.stdin!.end()
    expect(await withLock(path, undefined, async () => 'mine')).toBe('mine')
  })

  it('is left alone when it says nothing that can be checked from here', async () => {
    await withLock(path, undefined, async () => {})
    for (const content of ['', '{', 'null', JSON.stringify({ id: 'x', pid: 1, fd: 3, place: 'elsewhere' })]) {
      writeFileSync(path, content)
      await expect(withLock(path, AbortSignal.timeout(100), async () => {})).rejects.toMatchObject({
        code: 'ABORTED',
      })
      expect(readFileSync(path, 'utf8')).toBe(content)
    }
  })

  it('is taken over from a holder who cannot be seen from here, and has given no sign of life for half a minute', async () => {
    await withLock(path, undefined, async () => {})
    const content = JSON.stringify({ id: 'x', pid: 1, fd: 3, place: 'elsewhere' })
    writeFileSync(path, content)
    vi.useFakeTimers({ toFake: ['performance'] })
    try {
      const waiting = withLock(path, undefined, async () => 'mine')
      const settle = () => new Promise((resolve) => setTimeout(resolve, 300))
      await settle()
      vi.advanceTimersByTime(20_000)
      utimesSync(path, new Date(0), new Date(0)) // Its clock is wrong by years.
      await settle()
      vi.advanceTimersByTime(20_000)
      await settle()
      expect(readFileSync(path, 'utf8')).toBe(content)
      vi.advanceTimersByTime(11_000)
      expect(await waiting).toBe('mine')
      expect(locks()).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })

  it('ends the waiting of those whose signal comes, and of no others', async () => {
    const held = await holder()
    const controller = new AbortController()
    const waiters = [controller.signal, controller.signal, undefined].map((signal) =>
      withLock(path, signal, async () => 'mine'),
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
    controller.abort()
    const settled = Promise.allSettled(waiters)
    held.stdin!.end()
    expect(
      (await settled).map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code)),
    ).toEqual(['ABORTED', 'ABORTED', 'mine'])
    await expect(withLock(path, controller.signal, async () => 'mine')).rejects.toMatchObject({
      code: 'ABORTED',
    })
    expect(locks()).toEqual([])
  })

  it('does not come twice to one before it comes to another who waits', async () => {
    const turns: string[] = []
    let other: Promise<void> | undefined
    for (let i = 0; i < 20; i++) {
      await withLock(path, undefined, async () => {
        turns.push('busy')
        other ??= withLock(path, undefined, async () => {
          turns.push('other')
        })
        // Long enough for the other to stand in line.
        while (i === 0 && !locks().includes('birds.lock.next'))
          await new Promise((resolve) => setTimeout(resolve, 5))
      })
    }
    await other
    expect(turns.indexOf('other')).toBe(1)
  })

  it('cannot be where no file can be', async () => {
    writeFileSync(join(folder, 'locks'), '')
    await expect(withLock(path, undefined, async () => {})).rejects.toMatchObject({ code: 'WRITE_FAILED' })
  })
})
