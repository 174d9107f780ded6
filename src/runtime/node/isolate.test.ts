import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { compile } from '../index.ts'
import { childrenOf } from '../testdata/isolatedParent.ts'
import { deadlyGraph, endlessFeeds, endlessGraph, greedyGraph } from '../testing/hostile.ts'
import type { Session } from '../types.ts'

const isLinux = process.platform === 'linux'
const patient = { timeout: 120_000 }

let session: Session | undefined
afterEach(async () => {
  await session?.dispose()
  session = undefined
})

const isolated = async () => {
  session = await compile(endlessGraph(), { isolate: true, workers: 1, threads: 1 })
  return session
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20))
}

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('an isolated session', patient, () => {
  it('makes the death of its process the error of the opening', async () => {
    await expect(compile(deadlyGraph(), { isolate: true, workers: 1 })).rejects.toMatchObject({
      code: 'RUNTIME_DIED',
      message: expect.stringMatching(/ended by SIG(FPE|ILL|TRAP|SEGV|ABRT)/),
    })
  })

  it.runIf(isLinux)(
    'makes the death of its process the error of the call, and goes on in another',
    async () => {
      const before = childrenOf(process.pid)
      const { run } = await isolated()
      expect([...(await run(endlessFeeds({ rounds: 1 }))).y!.data]).toEqual([-1, -2, -3, -4])
      const dying = run(endlessFeeds())
      for (const pid of childrenOf(process.pid)) if (!before.includes(pid)) process.kill(pid, 'SIGSEGV')
      await expect(dying).rejects.toMatchObject({
        code: 'RUNTIME_DIED',
        message: expect.stringContaining('ended by SIGSEGV'),
      })
      expect([...(await run(endlessFeeds({ rounds: 1 }))).y!.data]).toEqual([-1, -2, -3, -4])
    },
  )

  it('is ended by an abort, whatever the graph does', async () => {
    const { run } = await isolated()
    await expect(run(endlessFeeds(), undefined, { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    expect([...(await run(endlessFeeds({ rounds: 1 }))).y!.data]).toEqual([-1, -2, -3, -4])
  })

  it('is ended when it takes more memory than it may', async () => {
    session = await compile(greedyGraph(), { isolate: { memory: 600e6 }, workers: 1, threads: 1 })
    const minusOne = (length: number) =>
      session!.run({ x: tensor('float32', [1], [1]), length: tensor('int64', [1], [length]) })
    expect([...(await minusOne(1000)).y!.data]).toEqual([-1])
    await expect(minusOne(1e9)).rejects.toMatchObject({
      code: 'RUNTIME_DIED',
      message: expect.stringContaining('ended: it took more than 600 MB of memory.'),
    })
    expect([...(await minusOne(1000)).y!.data]).toEqual([-1])
  })

  it.runIf(isLinux)('leaves no process when it is disposed', async () => {
    const before = childrenOf(process.pid)
    const { run, dispose } = await isolated()
    await run(endlessFeeds({ rounds: 1 }))
    const own = childrenOf(process.pid).filter((pid) => !before.includes(pid))
    expect(own).toHaveLength(1)
    await dispose()
    await until(() => !own.some(alive))
  })

  it.runIf(isLinux)('ends with a parent that is killed, in the middle of a run', async () => {
    const script = fileURLToPath(new URL('../testdata/isolatedParent.ts', import.meta.url))
    const parent = spawn(process.execPath, ['--import', 'tsx', script, '--run'])
    const line = await new Promise<string>((resolve) =>
      parent.stdout.once('data', (text) => resolve(`${text}`)),
    )
    const children = line.trim().split(' ').map(Number)
    // The other is the one that reads TypeScript.
    expect(children.some(alive)).toBe(true)
    parent.kill('SIGKILL')
    await until(() => !children.some(alive))
  })

  it('refuses what contradicts it', async () => {
    await expect(compile(endlessGraph(), { isolate: true, workers: 0 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: 'workers',
    })
    await expect(compile(endlessGraph(), { isolate: true, device: 'webgpu' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: 'isolate',
    })
    for (const isolate of [1, { memory: 0 }, { memory: '2 GB' }, { megabytes: 5 }])
      await expect(compile(endlessGraph(), { isolate: isolate as never })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/^isolate/),
      })
  })
})

describe('a thread of one’s own', { timeout: 600_000 }, () => {
  it('may be ended in the middle of a run of an isolated session: 25 of 25 times', async () => {
    const script = fileURLToPath(new URL('../testdata/terminated.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', script, '25'])
    let out = ''
    child.stdout.on('data', (text) => {
      out += text
    })
    let err = ''
    child.stderr.on('data', (text) => {
      err += text
    })
    const end = await new Promise((resolve) =>
      child.on('close', (code, signal) => resolve({ code, signal, out, err })),
    )
    expect(end).toEqual({ code: 0, signal: null, out: '25\n', err: '' })
  })
})
