import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedder } from '../../onDemand.ts'
import { type ReadInput, type ReadInputsOptions, readInputs } from '../inputs.ts'
import { passagesOfBlocks } from './pack.ts'
import { plainBlocks } from './plain.ts'

const testdata = fileURLToPath(new URL('testdata', import.meta.url))
const model = fileURLToPath(new URL('../../../models/testdata/sentence-transformers', import.meta.url))
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
const read = (specs: string | string[], options: ReadInputsOptions = {}) =>
  collect(readInputs(specs, { cwd, ...options }))
/** The passages of a file of this name and content, as `[place, text]`. */
async function passages(name: string, content: string | Uint8Array, options: ReadInputsOptions = {}) {
  write(name, content)
  const all = await read(name, options)
  return all.map(({ id, text, error }) => [id.slice(name.length), error ? error.message : text])
}

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'pipilo-'))
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

describe('passages of Markdown', () => {
  const readme = `---
title: Towhees
---

# Towhees

[![Build](https://example.org/b.svg)](https://example.org) <!-- a comment
of two lines --> **Birds** of the [brush](https://example.org "title").

## Food

- seeds
- insects &amp; berries

| month | food |
|-------|------|
| May   | moths |

Feeding looks
like this:

\`\`\`js
feed('seeds')
\`\`\`

Song
----

They sing[^1].

[^1]: From bushes.

[unused]: https://example.org
`

  it('are sections, with their headings and lines, without marks and addresses', async () => {
    expect(await passages('a.md', readme, { chunk: { tokens: 24 } })).toEqual([
      ['#L1-L8', 'title: Towhees\n\nTowhees\n\nBuild\n Birds of the brush.'],
      ['#L10-L17', 'Food\n\n- seeds\n- insects & berries\n\n  month   food\n\n  May     moths'],
      ['#L19-L23', "Feeding looks\nlike this:\n\nfeed('seeds')"],
      ['#L26-L31', 'Song\n\nThey sing^1.\n\n^1: From bushes.'],
    ])
  })

  it('carry the headings above into what is embedded', async () => {
    const [, , feeding, song] = await read('a.md', { chunk: { tokens: 24 } })
    expect(feeding).toMatchObject({ heading: 'Towhees > Food', line: 19, endLine: 23 })
    expect(feeding!.input).toBe(`Towhees > Food\n${feeding!.text}`)
    // Its own heading it begins with.
    expect(song).toMatchObject({ heading: 'Towhees', input: `Towhees\n${song!.text}` })
  })

  it('carry as many of the nearest headings as take a quarter of a passage, within what the model reads', async () => {
    const long = 'of birds that live in the brush and sing from bushes in the morning'
    write('deep.md', `# All ${long}\n\n## Song\n\n### Calls\n\n${'They call at dawn. '.repeat(40)}\n`)
    const rough = await read('deep.md', { chunk: { tokens: 24 } })
    expect(rough.at(-1)!.heading).toBe(`All ${long} > Song > Calls`)
    expect(rough.at(-1)!.input).toBe(`Song > Calls\n${rough.at(-1)!.text}`)
    const e = await embedder(model)
    const all = await read('deep.md', { embedder: e })
    expect(all.length).toBeGreaterThan(1)
    const { truncated } = await e.embed(all.map(({ input }) => input))
    expect(truncated).toEqual([])
    await e.dispose()
  })

  it('leave out no word of a long text, and overlap where a paragraph is cut', async () => {
    const sentences = Array.from({ length: 60 }, (_, i) => `Sentence number ${i} tells of bird ${i}.`)
    const text = `# Birds\n\n${sentences.join(' ')}\n`
    write('long.md', text)
    const all = await read('long.md', { chunk: { tokens: 100, overlap: 30 } })
    expect(all.length).toBeGreaterThan(5)
    for (const [i, sentence] of sentences.entries()) {
      const holding = all.filter((each) => each.text!.includes(sentence))
      expect(holding.length, `${i}`).toBeGreaterThanOrEqual(1)
    }
    for (const [i, each] of all.slice(1).entries()) {
      // Two sentences of thirty tokens are shared.
      const last = all[i]!.text!.split('. ').at(-1)!
      expect(each.text).toContain(last)
      expect(each.heading).toBe('Birds')
    }
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
  })

  it('are about as long as each other where something is cut', async () => {
    const lines = Array.from({ length: 23 }, (_, i) => `feed(bird${i}, 'seeds and ${i} berries')`)
    write('code.md', `# Feeding\n\n\`\`\`js\n${lines.join('\n')}\n\`\`\`\n`)
    const all = await read('code.md', { chunk: { tokens: 200, overlap: 0 } })
    const counts = all.map(({ text }) => text!.match(/feed/g)!.length)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(23)
    expect(counts.length).toBeGreaterThan(1)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  })

  it('hold code whole that the model reads, unless a length is said', async () => {
    const e = await embedder('all-MiniLM-L6-v2')
    const code = Array.from({ length: 14 }, (_, i) => `feed(bird${i}, 'seeds and berries')`).join('\n')
    const prose = 'The towhee sings in the brush of the garden. '.repeat(20)
    write('whole.md', `# Towhees\n\n## Feeding\n\n\`\`\`js\n${code}\n\`\`\`\n\n## Song\n\n${prose}\n`)
    const [example, ...song] = await read('whole.md', { embedder: e })
    expect(example!.text).toBe(`Towhees\n\nFeeding\n\n${code}`)
    expect(song.length).toBeGreaterThan(1)
    const { truncated, tokens } = await e.embed([example!.input])
    expect([truncated, tokens[0]! > 128]).toEqual([[], true])
    expect((await read('whole.md', { embedder: e, chunk: { tokens: 128 } })).length).toBeGreaterThan(3)
    for (const times of [3, 5, 10, 30]) {
      const longer = Array.from({ length: Math.round(14 * times) }, (_, i) => code.split('\n')[i % 14]).join(
        '\n',
      )
      write('longer.md', `# Towhees\n\n\`\`\`js\n${longer}\n\`\`\`\n`)
      const all = await read('longer.md', { embedder: e })
      expect(all.length).toBeGreaterThan(1)
      expect((await e.embed(all.map(({ input }) => input))).truncated).toEqual([])
    }
    await e.dispose()
  })

  it('begin with all headings that stand above a paragraph without words between them', async () => {
    expect(
      await passages('two.md', '# Errors\n\n### Abort(message)\n### Abort(error)\n\nStops it.\n'),
    ).toEqual([['#L1-L6', 'Errors\n\nAbort(message)\nAbort(error)\n\nStops it.']])
  })
})

describe('passages of HTML', () => {
  it('are elements without tags, with headings, entities and lines', async () => {
    const page = `<!doctype html>
<html><head><title>Birds &amp; bees</title><style>p { color: red }</style>
<script>var a = "<p>no</p>"</script>
<body>
<h1>Birds</h1>
<p>They   <b>sing</b>
in&nbsp;bushes.</p>
<ul><li>owl<li>wren</ul>
<table><tr><th>a<th>b</tr><tr><td>1<td>2</tr></table>
<pre>
  kept
    as is
</pre>`
    const all = await passages('a.html', page, { chunk: { tokens: 9, overlap: 0 } })
    expect(all).toEqual([
      ['#L5-L7', 'Birds\n\nThey sing in bushes.'],
      ['#L8-L9', 'owl\n\nwren\n\na b\n\n1 2'],
      ['#L11-L12', '  kept\n    as is'],
    ])
    const [first, second] = await read('a.html', { chunk: { tokens: 9, overlap: 0 } })
    expect([first!.heading, second!.heading]).toEqual(['Birds & bees', 'Birds & bees > Birds'])
  })

  it('is read in the encoding that it names', async () => {
    const page = latin('<html><meta charset="iso-8859-1"><p>gr\xfcn</p></html>')
    expect(await passages('latin.html', page)).toEqual([['#L1', 'grün']])
  })
})

describe('passages of code', () => {
  it('are functions and what stands between them', async () => {
    const code = `import os

LIMIT = 3

# Sings.
@bird
def sing(song):
    return song

class Owl:
    """A bird."""
    def hunt(self):
        return 'mouse'

print(sing(1))
`
    expect(await passages('a.py', code)).toEqual([
      ['#L1-L3', 'import os\n\nLIMIT = 3'],
      ['#L5-L8', '# Sings.\n@bird\ndef sing(song):\n    return song'],
      ['#L10-L13', 'class Owl:\n    """A bird."""\n    def hunt(self):\n        return \'mouse\''],
      ['#L15', 'print(sing(1))'],
    ])
  })

  it('of a class that is too long are its methods, below its name', async () => {
    const body = (n: number) => Array.from({ length: n }, (_, i) => `    return this.a${i}(${i})`).join('\n')
    const code = `export class Owl {
  #a = 1

  /** Hunts. */
  hunt() {
${body(3)}
  }

  sleep() {
${body(3)}
  }
}
const wake = () => {
  return 1
}
`
    write('a.ts', code)
    const all = await read('a.ts', { chunk: { tokens: 60 } })
    expect(all.map(({ id, heading }) => [id, heading])).toEqual([
      ['a.ts#L1-L9', undefined],
      ['a.ts#L11-L15', 'export class Owl'],
      ['a.ts#L17-L19', undefined],
    ])
    expect(all[0]!.text).toMatch(/^export class Owl \{\n {2}#a = 1\n\n {2}\/\*\* Hunts/)
  })

  it.each([
    ['c', 'static int f(int a) { return a; }\nint g() { return 1; }\n', ['#L1', '#L2']],
    ['java', 'class A { int f() { return 1; } }\nclass B { }\n', ['#L1', '#L2']],
    ['rs', 'fn f() -> i32 { 1 }\nfn g() {}\n', ['#L1', '#L2']],
    ['go', 'package a\nfunc f() int { return 1 }\nfunc g() {}\n', ['#L1', '#L2', '#L3']],
    ['sh', 'echo one\n\necho two\n', ['#L1-L3']],
  ])('of .%s', async (ending, code, places) => {
    expect((await passages(`f.${ending}`, code)).map(([place]) => place)).toEqual(places)
  })
})

describe('passages of tables', () => {
  it('are rows: of the text, the named columns, or all with their names', async () => {
    expect(await passages('a.csv', 'id,title,text\n1,Owl,"It\nhunts"\n2,,Sings\n')).toEqual([
      ['#L2', 'Owl\nIt\nhunts'],
      ['#L4', 'Sings'],
    ])
    expect(await passages('b.csv', 'name,food\nowl,mice\n')).toEqual([['#L2', 'name: owl\nfood: mice']])
    expect(await passages('b.csv', 'name,food\nowl,mice\n', { columns: ['food'] })).toEqual([['#L2', 'mice']])
    const [[, message]] = (await passages('b.csv', 'name,food\n', { columns: ['song'] })) as [
      [string, string],
    ]
    expect(message).toContain('b.csv has no column song. It has name, food.')
    expect(await passages('a.tsv', 'text\nan owl\n')).toEqual([['#L2', 'an owl']])
  })

  it('of JSON lines have their own names, and a bad one spoils no other', async () => {
    const rows = '{"text":"owl"}\n{"a":1,"b":{"c":"wren"}}\nno json\n"a text"\n'
    expect(await passages('a.jsonl', rows)).toEqual([
      ['#L1', 'owl'],
      ['#L2', 'a: 1\nb: {"c":"wren"}'],
      ['#L3', 'Line 3 of a.jsonl is no JSON object.'],
      ['#L4', 'a text'],
    ])
  })

  it('of Parquet', async () => {
    const columnData = [
      { name: 'text', data: ['owl', 'wren'] },
      { name: 'count', data: [1n, 2n], type: 'INT64' as const },
    ]
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData }))
    expect(await passages('a.parquet', bytes)).toEqual([
      ['#L1', 'owl'],
      ['#L2', 'wren'],
    ])
    expect(await passages('a.parquet', bytes, { columns: ['count', 'text'] })).toEqual([
      ['#L1', '1\nowl'],
      ['#L2', '2\nwren'],
    ])
    const [[, message]] = (await passages('cut.parquet', bytes.subarray(0, 40))) as [[string, string]]
    expect(message).toContain('cut.parquet is no Parquet file that can be read')
  })

  it('of Parquet are no more than 200 times the file, as where one value stands for all rows', async () => {
    const data = new Array<string>(80_000).fill('towhee '.repeat(125))
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'text', data }] }))
    expect(bytes.length).toBeLessThan(2 ** 18)
    write('bomb.parquet', bytes)
    const all = await read('bomb.parquet', { chunk: { tokens: 1000 } })
    expect(all.length).toBeLessThan(data.length)
    expect(all.at(-1)!.error).toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
    // One long value is refused before it is unpacked.
    const long = parquetWriteBuffer({
      columnData: [{ name: 'text', data: ['a'.repeat(2 ** 26 + 1)] }],
      codec: 'GZIP',
      compressors: { GZIP: (plain) => new Uint8Array(gzipSync(plain)) },
    })
    expect((await passages('long.parquet', new Uint8Array(long)))[0]![1]).toContain('more than 200 times')
  })
})

it('UTF-32 is no UTF-16, though its mark begins alike', async () => {
  const text = [0xfe_ff, ...Array.from('An owl hunts', (letter) => letter.charCodeAt(0))]
  const little = new Uint8Array(Uint32Array.from(text).buffer)
  const big = Uint8Array.from(little, (_, i) => little[i - (i % 4) + 3 - (i % 4)]!)
  for (const bytes of [little, big])
    expect((await passages('long.txt', bytes))[0]![1]).toMatch(/UTF-32|neither text nor/)
  expect((await passages('long.txt', little))[0]![1]).toContain('UTF-32')
})

describe('passages of documents', () => {
  it('of PDF are on pages', async () => {
    const all = await read(join(testdata, 'birds.pdf'))
    expect(all.map(({ id, page, text }) => [id.split('#')[1], page, text])).toEqual([
      ['page=1:L1-L4', 1, 'Towhees scratch\nin dry leaves.\n\nThey sing from bushes.'],
      ['page=2:L1', 2, 'Owls hunt at night.'],
    ])
    write('bad.pdf', '%PDF-1.4 and no more')
    const [bad] = await read('bad.pdf')
    expect(bad!.error).toMatchObject({ code: 'FORMAT_INVALID' })
  })

  it('of DOCX have headings', async () => {
    const all = await read(join(testdata, 'birds.docx'))
    expect(all.map(({ id, text }) => [id.split('#')[1], text])).toEqual([
      ['L1-L3', 'Towhees\n\nThey scratch in dry leaves.\n\nThey sing from the top of a bush.'],
    ])
    write('bad.docx', 'PK\x03\x04 and no more')
    expect((await read('bad.docx'))[0]!.error).toMatchObject({ code: 'FORMAT_INVALID' })
  })
})

describe('encodings', () => {
  it('are those of marks, UTF-8, and what is said; line ends of all kinds', async () => {
    expect(await passages('wide.txt', latin('\xff\xfeo\0n\0e\0'))).toEqual([['#L1', 'one']])
    expect(await passages('big.txt', latin('\xfe\xff\0o\0n\0e'))).toEqual([['#L1', 'one']])
    expect(await passages('mac.txt', 'one\rtwo\r\rthree')).toEqual([['#L1-L4', 'one\ntwo\n\nthree']])
    expect(await passages('dos.txt', '\ufeffone\r\ntwo\r\n')).toEqual([['#L1-L2', 'one\ntwo']])
    const german = latin('gr\xfcn')
    const [[, message]] = (await passages('german.txt', german)) as [[string, string]]
    expect(message).toContain('german.txt is not valid UTF-8')
    expect(await passages('german.txt', german, { encoding: 'latin1' })).toEqual([['#L1', 'grün']])
    expect(await passages('utf8.txt', 'grün', { encoding: 'latin1' })).toEqual([['#L1', 'grün']])
    expect(await passages('bare.txt', latin('o\0n\0'), { encoding: 'utf-16le' })).toEqual([['#L1', 'on']])
    expect(await passages('coding.py', latin('# coding: latin-1\na = "\xfc"\n'))).toEqual([
      ['#L1-L2', '# coding: latin-1\na = "ü"'],
    ])
    await expect(read('utf8.txt', { encoding: 'klingon' })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  it('hold by line, too, also compressed', async () => {
    const lines = async (name: string, content: Uint8Array, options: ReadInputsOptions = {}) => {
      write(name, content)
      return (await read(name, { by: 'line', ...options })).map(({ id, input, error }) => [
        id,
        error?.code ?? input,
      ])
    }
    expect(await lines('mac.txt', latin('one\rtwo'))).toEqual([
      ['mac.txt:1', 'one'],
      ['mac.txt:2', 'two'],
    ])
    expect(await lines('a.txt.gz', gzipSync('one\ntwo'))).toEqual([
      ['a.txt.gz:1', 'one'],
      ['a.txt.gz:2', 'two'],
    ])
    expect(await lines('german.txt', latin('gr\xfcn'), { encoding: 'latin1' })).toEqual([
      ['german.txt:1', 'grün'],
    ])
  })

  it('are looked for inside gzip, whose ending is left aside', async () => {
    expect(await passages('b.md.gz', gzipSync('# One\n\ntwo'))).toEqual([['#L1-L3', 'One\n\ntwo']])
    const message = async (name: string, content: Uint8Array) => (await passages(name, content))[0]![1]
    expect(await message('c.gz', gzipSync(Buffer.from([0, 1, 2])))).toContain(
      'data of an unknown kind, compressed',
    )
    expect(
      await message('d.tar.gz', gzipSync(latin(`${'a'.repeat(100)}${'\0'.repeat(157)}ustar`))),
    ).toContain('a tar archive, compressed')
    expect(await message('e.gz', gzipSync('one two three').subarray(0, 20))).toContain('e.gz')
  })
})

describe('lengths', () => {
  it('are at most those of the model, by its tokenizer', async () => {
    const e = await embedder(model, { maxLength: 16, runtime: { workers: 0 } })
    const { loadTokenizer } = await import('../../text/loadTokenizer.ts')
    const tokenizer = await loadTokenizer(join(model, 'tokenizer.json'))
    write(
      'long.txt',
      `${'a towhee sings, and then an owl hoots. '.repeat(20)}\n\n${'x'.repeat(5000)} ${'snow'.repeat(300)}`,
    )
    const all = await read('long.txt', { embedder: e })
    expect(all.length).toBeGreaterThan(20)
    for (const { input } of all) expect(tokenizer.encode(input).ids.length).toBeLessThanOrEqual(16)
    const { truncated } = await e.embed(all.map(({ input }) => input))
    expect(truncated).toEqual([])
    await expect(read('long.txt', { embedder: e, chunk: { tokens: 17 } })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    await e.dispose()
  })

  it('hold whatever the text, and every word is in a passage', async () => {
    const word = fc.stringMatching(/^[a-z]{1,12}$/)
    const count = (text: string) => text.split(/\s+/).filter((each) => each !== '').length
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(word, fc.constantFrom(' ', '\n', '. ', '\n\n', ':\n\n')), { maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat({ max: 3 }),
        async (parts, tokens, overlap) => {
          const text = parts.flat().join('')
          const length = { tokens, overlap: Math.min(overlap, tokens - 1), count }
          const all = await collect(passagesOfBlocks(plainBlocks(text), length))
          const lines = text.split('\n')
          for (const passage of all) {
            expect(count(passage.text)).toBeLessThanOrEqual(tokens)
            const there = lines.slice(passage.line - 1, passage.endLine).join('\n')
            for (const each of passage.text.split('\n')) expect(there).toContain(each)
          }
          const found = all.flatMap((passage) => passage.text.match(/[a-z]+/g) ?? [])
          for (const [each] of parts) expect(found).toContain(each)
        },
      ),
    )
  })
})

describe('what is not read', () => {
  it.each<[string, string | Uint8Array, string]>([
    ['texture.dds', latin('DDS \x7c\0\0\0'), 'a DDS texture'],
    ['photo.jpg', latin('DDS \x7c\0\0\0'), 'a DDS texture'],
    ['lib.so', latin('\x7fELF\x02\x01'), 'an ELF program or library'],
    ['a.pyc', latin('\xa7\x0d\r\n\0\0\0\0'), 'compiled Python'],
    ['a.zip', latin('PK\x03\x04\x14\0'), 'a ZIP archive'],
    ['a.sqlite', latin('SQLite format 3\0'), 'an SQLite database'],
    ['blank.txt', ' \n\n', 'holds no words'],
    ['empty.txt', '', 'is empty'],
  ])('%s is named as what it is', async (name, content, what) => {
    const [[, message]] = (await passages(name, content)) as [[string, string]]
    expect(message).toContain(what)
  })

  it('is given as a whole to an embedder of the other kind', async () => {
    write('mixed/a.md', '# One\n\ntwo\n\n# Three\n\nfour')
    const pictures = { name: 'p', modality: 'image', recipe: {} } as unknown as NonNullable<
      ReadInputsOptions['embedder']
    >
    const all: ReadInput[] = await read('mixed', { embedder: pictures })
    expect(all.map(({ id, modality }) => [id, modality])).toEqual([['mixed/a.md', 'text']])
  })
})

// Each took minutes, or for ever, before its bound.
describe('texts that are made to take long', () => {
  it.each([
    ['quotes.md', `${'>'.repeat(100_000)}x`, /nested too deep/],
    ['items.md', `${'- '.repeat(100_000)}x`, /nested too deep/],
    [
      'lists.md',
      Array.from({ length: 1000 }, (_, i) => `${' '.repeat(2 * i)}- x`).join('\n'),
      /nested too deep/,
    ],
    ['elements.html', '<div>'.repeat(100_000), /nested more than 10000 deep/],
    ['elements.md', '<div>'.repeat(100_000), /nested more than 10000 deep/],
  ])('%s is refused', async (name, content, said) => {
    expect(await passages(name, content)).toEqual([['', expect.stringMatching(said)]])
  })

  it.each([
    ['brackets.md', `a towhee ${'[a]('.repeat(25_000)}`],
    ['code.md', `a towhee ${Array.from({ length: 500 }, (_, i) => '`'.repeat(i + 1)).join(' ')}`],
    ['blanks.txt', `a towhee${' '.repeat(1e6)}sings`],
    ['blanks.html', `<pre>a towhee${' '.repeat(1e6)}sings</pre>`],
    ['spaces.html', `a towhee${'<b> </b>'.repeat(1e5)}sings`],
    ['comments', `${'<!---->'.repeat(1000)}a towhee`],
    ['classes.ts', `${'class A { towhee() {} '.repeat(3000)}`],
  ])('%s is read', async (name, content) => {
    const found = await passages(name, content)
    expect(found.some(([, text]) => String(text).includes('towhee'))).toBe(true)
  })
})

// 300 MB in 300 kB, which their readers would unpack whole.
describe('documents that unpack to more than they are for', () => {
  const words = Buffer.alloc(300 << 20, ' ')

  it('of PDF', async () => {
    const packed = deflateSync(words)
    const twice = deflateSync(packed)
    for (const [filter, stream] of [
      ['/FlateDecode', packed],
      ['[/FlateDecode /FlateDecode]', twice],
    ] as const) {
      const head = `%PDF-1.4\n1 0 obj<</Filter${filter}/Length ${stream.length}>>stream\n`
      const found = await passages(
        'large.pdf',
        Buffer.concat([latin(head), stream, latin('\nendstream endobj')]),
      )
      expect(found).toEqual([['', expect.stringContaining('unpacks to more than 256 MB')]])
    }
  })

  it('of DOCX', async () => {
    const packed = deflateRawSync(words)
    const head = Buffer.alloc(30)
    head.write('PK\x03\x04', 'latin1')
    head.writeUInt16LE(8, 8)
    head.writeUInt16LE(17, 26)
    const file = Buffer.concat([head, latin('word/document.xml'), packed])
    const found = await passages('large.docx', file)
    expect(found).toEqual([['', expect.stringContaining('unpacks to more than 256 MB')]])
  })
})
