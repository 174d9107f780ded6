import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { ImagePreprocessing } from '../../models/index.ts'
import { childrenOf } from '../../runtime/testdata/isolatedParent.ts'
import { decodeHere, type Making } from './decode.ts'
import { DecodingProcess, svgProcess } from './decodingProcess.ts'
import { decodeImage, thumbnail } from './image.ts'
import { blurred, copies, endless, floods } from './testdata/hostileSvg.ts'

const isLinux = process.platform === 'linux'
const patient = { timeout: 120_000 }
const usual = svgProcess.limits
afterEach(() => {
  svgProcess.limits = usual
})

const tooLarge = (more: object) => expect.objectContaining({ code: 'IMAGE_TOO_LARGE', ...more })
const alive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20))
}

const squash: ImagePreprocessing = {
  size: [40, 48],
  crop: 'squash',
  interpolation: 'bicubic',
  mean: [0, 0, 0],
  std: [1, 1, 1],
}

describe('a drawing in the child', patient, () => {
  it.each<[string, Making]>([
    ['at its own size', { kind: 'pixels' }],
    ['smaller', { kind: 'pixels', preprocessing: squash }],
    ['larger', { kind: 'pixels', preprocessing: { ...squash, size: [300, 301] } }],
    ['as a thumbnail', { kind: 'thumbnail', size: 20, format: 'webp' }],
    ['as a PNG', { kind: 'png' }],
  ])('is what it is in this process, %s', async (_, making) => {
    const order = { name: 'it', data: blurred(), making, maxPixels: 1e6 }
    const here = await decodeHere(order, making, { maxPixels: 1e6 })
    expect(await svgProcess.decode(order)).toEqual(
      here instanceof Uint8Array ? new Uint8Array(here) : plain(here),
    )
  })

  it('comes back whole when it is larger than a message', async () => {
    const data = blurred(1000)
    const here = await decodeHere({ name: 'it', data }, { kind: 'pixels' }, { maxPixels: 1e6 })
    expect(Buffer.compare((await decodeImage(data)).data, (here as { data: Uint8Array }).data)).toBe(0)
  })

  it('may be compressed', async () => {
    expect(await decodeImage(gzipSync(blurred()))).toEqual(await decodeImage(blurred()))
  })

  it('may be damaged, and says what it says here; the child goes on', async () => {
    await decodeImage(blurred())
    const before = isLinux ? childrenOf(process.pid) : []
    const damaged = blurred().subarray(0, 300)
    await expect(decodeImage(damaged, undefined, { label: 'birds' })).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringMatching(/^Birds is damaged/),
      input: 'birds',
    })
    await expect(decodeImage(blurred(), undefined, { maxPixels: 99 })).rejects.toEqual(tooLarge({}))
    if (isLinux) expect(childrenOf(process.pid)).toEqual(before)
  })
})

describe('a drawing without end', patient, () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-svg-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each([
    ['behind a long comment', `<!--${'x'.repeat(9000)}-->${copies()}`],
    ['behind many spaces', `${' '.repeat(9000)}${copies()}`],
    ['behind a byte order mark', `\ufeff${copies()}`],
    [
      'by another prefix',
      `<!-- <SVG -->${copies()}`.replace(/(<\/?)(?=[a-z])/g, '$1s:').replace('xmlns=', 'xmlns:s='),
    ],
    ['with an entity', `<!DOCTYPE svg [<!ENTITY a "">]>${copies()}`],
  ])('is an error %s, in memory and in a file', async (_, text) => {
    svgProcess.limits = { ...usual, time: 300 }
    await expect(decodeImage(Buffer.from(text))).rejects.toEqual(tooLarge({}))
    const path = join(folder, 'a.svg')
    writeFileSync(path, text)
    await expect(decodeImage(path)).rejects.toEqual(tooLarge({ input: path }))
  })

  it.each(Object.entries(endless))('is an error: %s', async (_, svg) => {
    svgProcess.limits = { ...usual, time: 1000 }
    await expect(decodeImage(svg, undefined, { label: 'birds' })).rejects.toEqual(
      tooLarge({
        // Large ones may fill the memory before their time is over.
        message: expect.stringMatching(/^Birds is an SVG that takes more than (?:1 s|\d+ MB)/),
        input: 'birds',
      }),
    )
    await expect(decodeImage(gzipSync(svg))).rejects.toEqual(tooLarge({}))
    // Small ones may be drawn in time.
    await thumbnail(svg, 20).catch((error) => expect(error).toEqual(tooLarge({})))
    svgProcess.limits = usual
    expect(await decodeImage(blurred())).toMatchObject({ width: 60 })
  })

  it('is an error when it takes much memory', async () => {
    svgProcess.limits = { ...usual, memory: 2 ** 29 }
    await expect(decodeImage(floods(4000))).rejects.toEqual(
      tooLarge({ message: expect.stringContaining('512 MB of memory') }),
    )
  })

  it('takes no time of those that wait', async () => {
    svgProcess.limits = { ...usual, time: 1000 }
    const all = [copies(), copies(), copies(), blurred()].map((svg) => decodeImage(svg))
    const ends = await Promise.allSettled(all)
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled'])
  })

  it('ends with its signal, and leaves the line with it', async () => {
    const signal = AbortSignal.timeout(300)
    const both = [copies(), copies()].map((svg) => decodeImage(svg, undefined, { signal }))
    for (const each of both) await expect(each).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await decodeImage(blurred())).toMatchObject({ width: 60 })
  })
})

describe('the child', patient, () => {
  it.runIf(isLinux)('ends when it has nothing to do, and is started again', async () => {
    svgProcess.limits = { ...usual, idle: 50 }
    const before = childrenOf(process.pid)
    await decodeImage(blurred())
    await until(() => childrenOf(process.pid).length <= before.length)
    expect(await decodeImage(blurred())).toMatchObject({ width: 60 })
  })

  it.runIf(isLinux)('is an error of the picture that ends it', async () => {
    await decodeImage(blurred())
    const drawing = decodeImage(copies(), undefined, { label: 'birds' })
    for (const pid of childrenOf(process.pid)) process.kill(pid, 'SIGSEGV')
    await expect(drawing).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringContaining('SIGSEGV'),
      input: 'birds',
    })
    expect(await decodeImage(blurred())).toMatchObject({ width: 60 })
  })

  it('is not started by a program that is not Node: nothing is drawn then', async () => {
    const path = process.execPath
    const order = { name: 'birds.svg', data: blurred(), making: { kind: 'pixels' } as const, maxPixels: 1e6 }
    const kind = { name: 'an SVG', verb: ['draw', 'drawn'], hint: '' } as const
    process.execPath = '/opt/some/electron'
    try {
      await expect(new DecodingProcess(kind).decode(order)).rejects.toMatchObject({
        code: 'RUNTIME',
        input: 'birds.svg',
        message: expect.stringContaining('electron could not start a child process'),
      })
    } finally {
      process.execPath = path
    }
  })

  it('does not keep a process alive, and is left by none', async () => {
    const { lines, end } = parent('once')
    expect(await end).toEqual([0, null])
    const children = pids(lines[0])
    await until(() => !children.some(alive))
  })

  it.runIf(isLinux)('ends with a process that is killed while it draws', async () => {
    const { lines, end, child } = parent('endless')
    await until(() => lines.length > 0)
    const children = pids(lines[0])
    expect(children.some(alive)).toBe(true)
    child.kill('SIGKILL')
    await end
    await until(() => !children.some(alive))
  })

  it.runIf(isLinux)('draws for a thread, and ends with it', async () => {
    const { lines, end } = parent('worker')
    expect(await end).toEqual([0, null])
    expect(lines).toEqual(['60', 'running', expect.stringMatching(/^\d/), 'lives'])
    const children = pids(lines[2])
    await until(() => !children.some(alive))
  })
})

const plain = ({
  width,
  height,
  channels,
  data,
}: {
  width: number
  height: number
  channels: number
  data: Uint8Array
}) => ({
  width,
  height,
  channels,
  data: new Uint8Array(data),
})

const pids = (line = '') => line.split(' ').map(Number)

/** Runs testdata/svgParent.ts. */
function parent(mode: string): { child: ChildProcess; lines: string[]; end: Promise<unknown[]> } {
  const script = fileURLToPath(new URL('testdata/svgParent.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, mode])
  const lines: string[] = []
  child.stdout.on('data', (text) => lines.push(...`${text}`.trim().split('\n')))
  const end = new Promise<unknown[]>((resolve) => child.on('close', (...how) => resolve(how)))
  return { child, lines, end }
}
