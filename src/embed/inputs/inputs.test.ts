import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rootOf } from './inputFiles.ts'
import { readLines } from './inputLines.ts'
import { contentOfBytes } from './inputModality.ts'
import { type ReadInput, type ReadInputsOptions, readInputs } from './inputs.ts'

let cwd: string
const write = (path: string, content: string | Uint8Array) => {
  mkdirSync(dirname(join(cwd, path)), { recursive: true })
  writeFileSync(join(cwd, path), content)
}
const latin = (text: string) => Buffer.from(text, 'latin1')

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
/** By line, as it was read first. */
const inputs = (specs: Parameters<typeof readInputs>[0], options: ReadInputsOptions = {}) =>
  collect(readInputs(specs, { cwd, by: 'line', ...options }))
const brief = ({ id, modality, error }: ReadInput) => `${id} ${error ? error.code : modality}`

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'pipilo-'))
  write('notes/b.txt', 'one\n\ntwo')
  write('notes/a/z.md', 'three\r\n')
  write('notes/.hidden/x.txt', 'no')
  write('notes/.hidden.txt', 'no')
  write('odd/photo[1].txt', 'brackets')
  write('odd/cut.txt', latin('fine\nb\xe4d\nfine'))
  write('odd/wide.txt', latin('\xff\xfeo\0n\0e\0'))
  write('odd/fake.jpg', 'text')
  write('odd/noise.png', Buffer.from([0, 1, 2, 3]))
  write('odd/data.bin', Buffer.from([0, 1, 2, 3]))
  write('odd/empty.txt', '')
  write('photos/named-otherwise.txt', latin('\xff\xd8\xff\xe0'))
  write('photos/drawing.xml', '\ufeff<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]>\n<svg/>')
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

describe('readInputs', () => {
  it('walks folders in order, without hidden files, a row a line', async () => {
    const all = await inputs('notes')
    expect(all.map(({ id, input }) => [id, input])).toEqual([
      ['notes/a/z.md:1', 'three'],
      ['notes/b.txt:1', 'one'],
      ['notes/b.txt:2', ''],
      ['notes/b.txt:3', 'two'],
    ])
    expect(all[1]).toMatchObject({ modality: 'text', path: 'notes/b.txt', line: 1, size: 8, found: true })
  })

  it('names file: addresses of other machines, and goes on', async () => {
    const here = pathToFileURL(join(cwd, 'notes/a/z.md')).href
    const [far, near] = await inputs(['file://elsewhere/a.jpg', here])
    expect(far).toMatchObject({ id: 'file://elsewhere/a.jpg', modality: 'image' })
    expect(far!.error).toMatchObject({ code: 'INPUT_INVALID', input: 'file://elsewhere/a.jpg' })
    expect(near).toMatchObject({ id: 'notes/a/z.md:1', input: 'three' })
  })

  it('takes globs, but not for what exists by that name', async () => {
    expect((await inputs('notes/**/*.{md,txt}')).map(brief)).toHaveLength(4)
    expect((await inputs('odd/photo[1].txt')).map(brief)).toEqual(['odd/photo[1].txt:1 text'])
    expect((await inputs('notes/*.pdf')).map(brief)).toEqual(['notes/*.pdf FILE_NOT_FOUND'])
  })

  it('tells pictures from text by what is in them', async () => {
    expect((await inputs('photos')).map(brief)).toEqual([
      'photos/drawing.xml image',
      'photos/named-otherwise.txt image',
    ])
    const [drawing] = await inputs('photos/drawing.xml', { as: 'text' })
    expect(drawing).toMatchObject({ modality: 'text', line: 1, input: expect.stringMatching(/^<\?xml/) })
    expect((await inputs('odd/fake.jpg', { as: 'image' })).map(brief)).toEqual(['odd/fake.jpg image'])
  })

  it('goes on after what it cannot read, and says why (b-10)', async () => {
    expect((await inputs(['odd', 'missing', 'notes/a/z.md'])).map(brief)).toEqual([
      'odd/cut.txt:1 text',
      'odd/cut.txt:2 TEXT_INVALID',
      'odd/cut.txt:3 text',
      'odd/data.bin FORMAT_UNSUPPORTED',
      'odd/empty.txt FILE_EMPTY',
      'odd/fake.jpg IMAGE_INVALID',
      'odd/noise.png IMAGE_INVALID',
      'odd/photo[1].txt:1 text',
      'odd/wide.txt:1 text',
      'missing FILE_NOT_FOUND',
      'notes/a/z.md:1 text',
    ])
    const [, bad] = await inputs('odd/cut.txt')
    expect(bad!.error!.message).toContain('Line 2 of odd/cut.txt is not valid UTF-8')
  })

  it('reads standard input, addresses and file URLs; files outside keep their whole path', async () => {
    const stdin = (async function* () {
      yield 'one\ntw'
      yield Buffer.from('o\n')
    })()
    const url = 'https://example.org/owl.jpg'
    const file = pathToFileURL(join(cwd, 'notes/a/z.md')).href
    expect((await inputs(['-', url, file], { stdin })).map(brief)).toEqual([
      '-:1 text',
      '-:2 text',
      `${url} image`,
      'notes/a/z.md:1 text',
    ])
    const [outside] = await inputs('../a/z.md', { cwd: join(cwd, 'notes/.hidden') })
    expect(outside!.id).toBe(`${join(cwd, 'notes/a/z.md')}:1`)
  })

  it('stops when told to', async () => {
    await expect(inputs('notes', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('readLines', () => {
  it('gives the lines however the bytes come in pieces', async () => {
    const line = fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[\r\n\ufeff]/g, ' '))
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (lines, size, crlf) => {
          const bytes = Buffer.from(`\ufeff${lines.map((text) => text + (crlf ? '\r\n' : '\n')).join('')}`)
          // One buffer for all pieces, as some streams have it.
          const piece = Buffer.alloc(size)
          async function* pieces() {
            for (let start = 0; start < bytes.length; start += size) {
              const length = bytes.copy(piece, 0, start, start + size)
              yield piece.subarray(0, length)
            }
          }
          const read = await collect(readLines(pieces()))
          const expected = lines.length > 0 ? lines : ['']
          expect(read.map(({ text }) => text)).toEqual(expected)
          expect(read.map((one) => one.line)).toEqual(expected.map((_, i) => i + 1))
        },
      ),
    )
  })

  it('does not hold a line without end', async () => {
    async function* endless() {
      for (let i = 0; i < 40; i++) yield Buffer.alloc(1 << 20, 'a')
      yield '\nshort'
    }
    const [first, second] = await collect(readLines(endless()))
    expect(first).toEqual({ line: 1, problem: 'is longer than 16 MB' })
    expect(second).toEqual({ line: 2, text: 'short' })
  })
})

describe('contentOfBytes', () => {
  it.each([
    ['image', 'GIF89a'],
    ['image', 'RIFF....WEBPVP8 '],
    ['image', '\0\0\0\x20ftypavif'],
    ['image', 'II*\0'],
    ['image', '  <svg xmlns="http://www.w3.org/2000/svg">'],
    ['text', '<svgs>'],
    ['text', 'An essay on <svg> elements'],
    ['text', 'gr\xfc\xdfe, not UTF-8'],
    ['zip', 'PK\x03\x04\0'],
    ['pdf', '%PDF-1.7\n'],
    ['gzip', '\x1f\x8b\x08'],
    ['parquet', 'PAR1'],
    ['other', '\x7fELF'],
  ])('%s: %j', (content, bytes) => {
    expect(contentOfBytes(latin(bytes))).toBe(content)
  })
})

describe('rootOf', () => {
  it.each([
    ['notes', '/w/notes'],
    ['notes/**/*.txt', '/w/notes'],
    ['*.txt', '/w'],
    ['/a/b/*.txt', '/a/b'],
    ['/*.txt', '/'],
    ['../x/{a,b}', '/x'],
  ])('%s lies in %s', async (spec, root) => {
    expect(await rootOf(spec, '/w')).toBe(root)
  })
})

// Other systems have no such names.
it.runIf(process.platform === 'linux')(
  'a name that is not UTF-8 is said to be that, in a folder and by a glob',
  async () => {
    mkdirSync(join(cwd, 'names'))
    writeFileSync(Buffer.concat([Buffer.from(join(cwd, 'names/caf')), latin('\xe9.txt')]), 'one')
    for (const spec of ['names', 'names/*.txt']) {
      const [only] = await inputs(spec)
      expect(only!.error!.message, spec).toContain('has a name that is not UTF-8')
    }
  },
)
