import { execFile, execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import {
  type Embedder,
  type EmbedderOptions,
  type EmbedOptions,
  embedder as openModel,
  type Recipe,
} from '../embed/index.ts'
import { cosineSimilarity } from '../tensor/index.ts'
import { type IndexFilesOptions, type IndexProgress, indexFiles } from './indexFiles.ts'
import { connect } from './store.ts'
import type { Collection, Store } from './types.ts'

const DIMENSIONS = 27

/** An embedder as users may write one: how often each letter occurs. It counts its work. */
function letters(modality: 'text' | 'image' = 'text') {
  const embedded: string[] = []
  return {
    embedded,
    name: 'letters',
    modality,
    dimensions: DIMENSIONS,
    recipe: {
      version: 1,
      source: { name: 'letters', fingerprint: modality },
      modality,
      taps: ['letters'],
      pool: 'mean',
      normalize: false,
      dimensions: DIMENSIONS,
      dtype: 'fp32',
    } as Recipe,
    async embed(inputs: readonly unknown[], { onError, signal }: EmbedOptions = {}) {
      signal?.throwIfAborted()
      const errors: { index: number; error: PipiloError }[] = []
      const vectors = inputs.map((input, index) => {
        const text = String(input)
        embedded.push(text)
        if (text.includes('unspeakable')) {
          errors.push({ index, error: new PipiloError('INPUT_INVALID', 'Unspeakable.') })
          if (onError !== 'skip') throw errors[0]!.error
        }
        const vector = new Float32Array(DIMENSIONS)
        vector[26] = text.includes('nothing') ? 0 : 0.1
        for (const letter of text.toLowerCase().matchAll(/[a-z]/g)) vector[letter[0].charCodeAt(0) - 97]! += 1
        return text.includes('nothing') ? new Float32Array(DIMENSIONS) : vector
      })
      return { vectors, data: new Float32Array(), dimensions: DIMENSIONS, truncated: [], tokens: [], errors }
    },
  }
}

let cwd: string
let store: Store
let collection: Collection
let embedder: ReturnType<typeof letters>

const write = (path: string, content: string | Uint8Array) => {
  mkdirSync(dirname(join(cwd, path)), { recursive: true })
  writeFileSync(join(cwd, path), content)
}
const run = (paths: Parameters<typeof indexFiles>[0], options: Partial<IndexFilesOptions> = {}) =>
  indexFiles(paths, { embedder, collection, cwd, by: 'line', ...options })
const ids = async () => {
  const all: string[] = []
  for await (const { id } of collection.rows()) all.push(id)
  return all.sort()
}

beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'pipilo-'))
  store = await connect(join(cwd, '.pipilo'))
  embedder = letters()
  collection = await store.collection('texts', { embedder })
})
afterEach(async () => {
  await store.close()
  rmSync(cwd, { recursive: true, force: true })
})

describe('indexFiles', () => {
  it('stores a row a line, with where it came from', async () => {
    write('notes/a.txt', 'owls hoot\n\nbirds sing\r\n')
    write('notes/deep/b.md', 'last line without end')
    expect(await run(['notes'])).toEqual({
      indexed: 3,
      unchanged: 0,
      pruned: 0,
      replaced: 0,
      stale: 0,
      kept: [],
      skipped: [],
      skippedCount: 0,
      skippedKinds: [],
      truncated: 0,
    })
    expect(await ids()).toEqual(['notes/a.txt:1', 'notes/a.txt:3', 'notes/deep/b.md:1'])
    const [metadata] = await collection.metadata(['notes/a.txt:3'])
    expect(metadata).toEqual({
      path: 'notes/a.txt',
      line: 3,
      text: 'birds sing',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      size: 23,
      modified: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
    const hits = await collection.search((await letters().embed(['hoot owls'])).vectors[0]!, {
      filter: { path: 'notes/a.txt' },
    })
    expect(hits.map(({ id }) => id)).toEqual(['notes/a.txt:1', 'notes/a.txt:3'])
  })

  it('embeds the same content once, in a batch and in later ones', async () => {
    const lines = 'a licence\nof many words\nunspeakable\n'
    write('a.txt', lines)
    write('b.txt', `${lines}a licence\nmore\n`)
    const report = await run(['.'], { batch: 2, by: 'line', onError: 'skip' })
    expect(report).toMatchObject({ indexed: 6, skippedCount: 2 })
    expect(report.skipped.map(({ id }) => id)).toEqual(['a.txt:3', 'b.txt:3'])
    // Failures are tried again: they may have been the system's.
    expect(embedder.embedded).toEqual(['a licence', 'of many words', 'unspeakable', 'unspeakable', 'more'])
    const [first, ...others] = await collection.get(['a.txt:1', 'b.txt:1', 'b.txt:4'])
    const [made] = (await letters().embed(['a licence'])).vectors
    expect([...first!.vector]).toEqual([...made!])
    for (const other of others) expect([...other!.vector]).toEqual([...made!])
    const [own] = await collection.metadata(['b.txt:4'])
    expect(own).toMatchObject({ path: 'b.txt', line: 4 })
  })

  it('embeds again only what has changed', async () => {
    write('a.txt', 'one\ntwo\nthree\n')
    await run(['a.txt'])
    write('a.txt', 'one\n2\nthree\nfour\n')
    embedder.embedded.length = 0
    expect(await run(['a.txt'])).toMatchObject({ indexed: 2, unchanged: 2 })
    expect(embedder.embedded).toEqual(['2', 'four'])
    expect((await collection.metadata(['a.txt:2']))[0]).toMatchObject({ text: '2' })
  })

  it('prunes what has gone from the given paths, and nothing else', async () => {
    write('notes/a.txt', 'one\ntwo\nthree\n')
    write('notes/b.txt', 'four\n')
    write('notes/c.md', 'five\n')
    write('other/d.txt', 'six\n')
    await run(['notes', 'other'])
    write('notes/a.txt', 'one\n\n')
    rmSync(join(cwd, 'notes/b.txt'))
    rmSync(join(cwd, 'other/d.txt'))
    expect(await run(['notes/*.txt'])).toMatchObject({ pruned: 0 })
    expect(await ids()).toHaveLength(6)
    expect(await run(['notes/*.txt'], { prune: true })).toMatchObject({ indexed: 0, unchanged: 1, pruned: 3 })
    expect(await ids()).toEqual(['notes/a.txt:1', 'notes/c.md:1', 'other/d.txt:1'])
    expect(await run(['.'], { prune: true })).toMatchObject({ pruned: 1 })
    expect(await ids()).toEqual(['notes/a.txt:1', 'notes/c.md:1'])
  })

  it('counts rows of what cannot be read any more, and prunes them where that is what the file holds', async () => {
    write('a.txt', 'one\ntwo\n')
    write('b.txt', 'three\n')
    await run(['a.txt', 'b.txt'])
    write('a.txt', Buffer.from('\x7fELF\0', 'latin1'))
    const skip = { onError: 'skip' } as const
    expect(await run(['a.txt', 'b.txt'], skip)).toMatchObject({ pruned: 0, stale: 2, skippedCount: 1 })
    expect(await ids()).toHaveLength(3)
    expect(await run(['a.txt'], { ...skip, prune: true })).toMatchObject({ pruned: 2, stale: 0 })
    write('b.txt', Buffer.from('caf\xe9\n', 'latin1'))
    expect(await run(['b.txt'], skip)).toMatchObject({ stale: 1, skippedCount: 1 })
    expect(await run(['b.txt'], { ...skip, prune: true })).toMatchObject({ pruned: 1, stale: 0 })
    expect(await ids()).toEqual([])
  })

  it('counts rows of a table that were read before and cannot be now', async () => {
    write('t.csv', 'text\nowl\nwren\n')
    const passages = { by: 'passage' } as const
    await run(['t.csv'], passages)
    write('t.csv', 'text\nowl\nwren,too,many\n')
    expect(await run(['.'], passages)).toMatchObject({ unchanged: 1, stale: 1, skippedCount: 1, replaced: 0 })
    expect(await ids()).toEqual(['t.csv#L2', 't.csv#L3'])
    expect(await run(['.'], { ...passages, prune: true })).toMatchObject({ pruned: 1, stale: 0 })
    expect(await ids()).toEqual(['t.csv#L2'])
  })

  it('gives a file one id, wherever a run is started', async () => {
    write('pt/x.txt', 'owl')
    write('other/x.txt', 'wren')
    const inside = (folder: string, prune = false) => run(['.'], { cwd: join(cwd, folder), prune })
    expect(await inside('pt')).toMatchObject({ indexed: 1 })
    expect(await inside('other', true)).toMatchObject({ indexed: 1, pruned: 0 })
    expect(await run(['pt', 'other'], { prune: true })).toMatchObject({ indexed: 0, unchanged: 2, pruned: 0 })
    const other = join(cwd, 'other/x.txt').replaceAll('\\', '/')
    expect(await ids()).toEqual([`${other}:1`, 'x.txt:1'].sort())
    // Moved together with its database, it is the same.
    expect(await collection.filesMemory()).toEqual({ root: join(cwd, 'pt') })
  })

  it('takes up the folder that an older collection was made in, and refuses another', async () => {
    write('here/a.txt', 'owl')
    write('there/b.txt', 'wren')
    const { vectors } = await embedder.embed(['owl'])
    const metadata = { path: 'a.txt', line: 1, text: 'owl', sha256: 'x' }
    await collection.upsert([{ id: 'a.txt:1', vector: vectors[0]!, metadata }])
    const there = run(['.'], { cwd: join(cwd, 'there') })
    await expect(there).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
    expect(await run(['.'], { cwd: join(cwd, 'here') })).toMatchObject({ indexed: 1 })
    expect(await run(['.'], { cwd: join(cwd, 'there') })).toMatchObject({ indexed: 1 })
    expect(await collection.count()).toBe(2)
  })

  it('remembers columns, encoding and the length of passages', async () => {
    write('t.csv', 'name;note\nowl;night\nwren;small\n')
    const passages = { by: 'passage' } as const
    await run(['t.csv'], { ...passages, columns: ['note'], chunk: { tokens: 32 }, encoding: 'latin1' })
    expect(await run(['t.csv'], passages)).toMatchObject({ indexed: 0, unchanged: 2 })
    expect(await collection.filesMemory()).toMatchObject({
      columns: ['note'],
      chunk: { tokens: 32 },
      encoding: 'latin1',
    })
    expect(await run(['t.csv'], { ...passages, columns: ['name'] })).toMatchObject({ indexed: 2 })
    expect(await run(['t.csv'], passages)).toMatchObject({ unchanged: 2 })
  })

  it.skipIf(process.platform === 'win32')(
    'skips a pipe that was found, and says so; a named one is read',
    async () => {
      write('notes/a.txt', 'owl')
      const pipe = join(cwd, 'notes/pipe')
      execFileSync('mkfifo', [pipe])
      expect(await run(['notes'])).toMatchObject({ indexed: 1, skippedCount: 1 })
      const stop = new AbortController()
      const waiting = run(['notes/pipe'], { signal: stop.signal })
      setTimeout(() => stop.abort(), 50)
      await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
      const reading = run(['notes/pipe'], { onProgress: () => {} })
      execFile('sh', ['-c', 'printf "one\\ntwo\\n" > "$0"', pipe])
      expect(await reading).toMatchObject({ indexed: 2 })
      expect(await ids()).toEqual(['notes/a.txt:1', 'notes/pipe:1', 'notes/pipe:2'])
    },
  )

  it('lists what it has no use for in a folder, and objects when it is named', async () => {
    write('notes/a.txt', 'one\n')
    write('notes/photo.png', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))
    write('notes/program', Buffer.from([0, 1, 2, 3]))
    const report = await run(['notes'])
    expect(report).toMatchObject({ indexed: 1, skippedCount: 2 })
    expect(report.skipped.map(({ id, reason }) => `${id}: ${reason}`)).toEqual([
      expect.stringContaining('notes/photo.png is a picture, and letters embeds text.'),
      expect.stringContaining('notes/program is neither text nor a picture'),
    ])
    await expect(run(['notes/photo.png'])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  it('takes pictures by their file, with the hash of their bytes', async () => {
    embedder = letters('image')
    collection = await store.collection('pictures', { embedder })
    write('photos/owl.png', Buffer.from('\x89PNG\r\n\x1a\nowl', 'latin1'))
    write(
      'photos/owl.svg',
      '<?xml version="1.0"?>\n<!-- an owl -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    )
    expect(await run(['photos'])).toMatchObject({ indexed: 2 })
    expect(await ids()).toEqual(['photos/owl.png', 'photos/owl.svg'])
    expect(embedder.embedded).toEqual([join(cwd, 'photos/owl.png'), join(cwd, 'photos/owl.svg')])
    expect(await run(['photos/*'])).toMatchObject({ indexed: 0, unchanged: 2 })
    appendFileSync(join(cwd, 'photos/owl.png'), '!')
    expect(await run('photos')).toMatchObject({ indexed: 1, unchanged: 1 })
  })

  it('skips bad inputs where asked to, and says why', async () => {
    write('a.txt', Buffer.from('fine\nb\xffd\nunspeakable\nnothing\nalso fine\n', 'latin1'))
    write('fake.jpg', 'no picture')
    write('empty.txt', '')
    const report = await run(['a.txt', 'fake.jpg', 'empty.txt', 'missing.txt'], { onError: 'skip' })
    expect(report).toMatchObject({ indexed: 2, skippedCount: 6 })
    expect(report.skipped.map(({ id, error }) => [id, error.code]).sort()).toEqual([
      ['a.txt:2', 'TEXT_INVALID'],
      ['a.txt:3', 'INPUT_INVALID'],
      ['a.txt:4', 'INPUT_INVALID'],
      ['empty.txt', 'FILE_EMPTY'],
      ['fake.jpg', 'IMAGE_INVALID'],
      ['missing.txt', 'FILE_NOT_FOUND'],
    ])
    expect(await ids()).toEqual(['a.txt:1', 'a.txt:5'])
  })

  it('stops at a bad input otherwise, after the batches before it', async () => {
    write('a.txt', Buffer.from('one\ntwo\nthree\nfour\nb\xffd\nsix\n', 'latin1'))
    await expect(run(['a.txt'], { batch: 2 })).rejects.toMatchObject({
      code: 'TEXT_INVALID',
      message: expect.stringContaining('Line 5 of a.txt'),
    })
    expect(await ids()).toEqual(['a.txt:1', 'a.txt:2', 'a.txt:3', 'a.txt:4'])
  })

  it('says how far it is, and ends after the last committed batch when told to', async () => {
    write('a.txt', Array.from({ length: 100 }, (_, i) => `line ${i}`).join('\n'))
    const events: IndexProgress[] = []
    const controller = new AbortController()
    const aborted = run(['a.txt'], {
      batch: 10,
      signal: controller.signal,
      onProgress: (event) => {
        events.push(event)
        if (event.done >= 30) controller.abort()
      },
    })
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    const stored = await collection.count()
    expect(stored).toBeGreaterThanOrEqual(30)
    expect(stored).toBeLessThan(100)
    expect(stored % 10).toBe(0)
    events.length = 0
    const report = await run(['a.txt'], { batch: 10, onProgress: (event) => events.push(event) })
    expect(report).toMatchObject({ indexed: 100 - stored, unchanged: stored })
    expect(events.at(-1)).toEqual({
      done: 100,
      total: 100,
      indexed: 100 - stored,
      unchanged: stored,
      skipped: 0,
    })
  })

  it('takes a stream of paths', async () => {
    for (let i = 0; i < 5; i++) write(`${i}.txt`, `file ${i}`)
    async function* paths() {
      for (let i = 0; i < 5; i++) yield `${i}.txt`
    }
    expect(await run(paths(), { prune: true })).toMatchObject({ indexed: 5, pruned: 0 })
  })

  it('walks through links, but not in circles', async () => {
    write('notes/a.txt', 'one')
    write('far/b.txt', 'two')
    symlinkSync(join(cwd, 'notes'), join(cwd, 'notes/again'))
    symlinkSync(join(cwd, 'far'), join(cwd, 'notes/far'))
    symlinkSync(join(cwd, 'nowhere'), join(cwd, 'notes/broken'))
    const report = await run(['notes'], { onError: 'skip' })
    expect(await ids()).toEqual(['notes/a.txt:1', 'notes/far/b.txt:1'])
    expect(report.skipped.map(({ id }) => id)).toEqual(['notes/broken'])
  })

  it('puts a prompt before the texts, and refuses one that the model does not name, changed files or not', async () => {
    const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    const e = await openModel(model, { runtime: { workers: 0 } })
    const notes = await store.collection('notes', { embedder: e })
    write('a.txt', 'snow')
    await run(['a.txt'], { embedder: e, collection: notes, prompt: 'document' })
    const [stored] = await notes.get(['a.txt:1'])
    const { vectors } = await e.embed(['document: snow', 'snow'])
    expect(cosineSimilarity(stored!.vector, vectors[0]!)).toBeGreaterThan(0.999999)
    expect(cosineSimilarity(stored!.vector, vectors[1]!)).toBeLessThan(0.999)
    const wrong = run(['a.txt'], { embedder: e, collection: notes, prompt: 'passage' })
    await expect(wrong).rejects.toMatchObject({ code: 'PROMPT_UNKNOWN' })
    await e.dispose()
  })

  it("puts the model's prompt for documents before texts by itself, as the recipe says", async () => {
    const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    const e = await openModel(model, { runtime: { workers: 0 } })
    expect(e.recipe.text).toMatchObject({ prompt: '', promptsFor: { query: 'query', document: 'document' } })
    const notes = await store.collection('by-itself', { embedder: e })
    write('a.txt', 'snow')
    await run(['a.txt'], { embedder: e, collection: notes })
    const [stored] = await notes.get(['a.txt:1'])
    const { vectors } = await e.embed(['snow'], { prompt: 'document' })
    expect(cosineSimilarity(stored!.vector, vectors[0]!)).toBeGreaterThan(0.999999)
    expect(stored!.metadata['reading']).toBeUndefined()
    expect(await run(['a.txt'], { embedder: e, collection: notes })).toMatchObject({ unchanged: 1 })
    await e.dispose()
  })

  it('embeds again what was read with another prompt, limit or chunks, and only that', async () => {
    write('a.txt', 'one towhee\ntwo towhees')
    write('b.txt', 'three towhees')
    const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    const open = async (options: EmbedderOptions) =>
      (await openModel(model, { ...options, runtime: { workers: 0 } })) as Embedder
    const made = await open({ prompt: 'document' })
    const notes = await store.collection('prompted', { embedder: made })
    const runs: readonly [string[], Embedder, string | undefined, object][] = [
      [['a.txt'], made, undefined, { indexed: 2, unchanged: 0 }],
      // With another prompt rows were called unchanged, and kept the vectors of the first.
      [['a.txt', 'b.txt'], made, 'query', { indexed: 3, unchanged: 0 }],
      [['a.txt', 'b.txt'], made, 'query', { indexed: 0, unchanged: 3 }],
      [['a.txt'], made, 'document', { indexed: 2, unchanged: 0 }],
      [
        ['a.txt', 'b.txt'],
        await open({ prompt: { text: 'document: ' } }),
        undefined,
        { indexed: 1, unchanged: 2 },
      ],
      [['b.txt'], await open({ prompt: 'document', maxLength: 5 }), undefined, { indexed: 1, unchanged: 0 }],
      [
        ['b.txt'],
        await open({ prompt: 'document', chunk: { tokens: 6 } }),
        undefined,
        { indexed: 1, unchanged: 0 },
      ],
      [['b.txt'], made, undefined, { indexed: 1, unchanged: 0 }],
    ]
    for (const [paths, e, prompt, counts] of runs) {
      const report = await run(paths, {
        embedder: e,
        collection: notes,
        ...(prompt !== undefined && { prompt }),
      })
      expect(report).toMatchObject(counts)
      const ids = paths.flatMap((path) => (path === 'a.txt' ? ['a.txt:1', 'a.txt:2'] : ['b.txt:1']))
      const rows = await notes.get(ids)
      const texts = rows.map((row) => row!.metadata.text as string)
      const { vectors } = await e.embed(texts, prompt === undefined ? {} : { prompt })
      for (const [i, vector] of vectors.entries())
        expect(cosineSimilarity(rows[i]!.vector, vector)).toBeGreaterThan(0.999999)
    }
    // As they were made in the beginning, they carry no mark.
    expect((await notes.metadata(['a.txt:1', 'b.txt:1'])).map((row) => row!.reading)).toEqual([
      undefined,
      undefined,
    ])
    for (const e of new Set(runs.map(([, e]) => e))) await e.dispose()
  })

  it('refuses a collection of another embedder, and one vector a token', async () => {
    write('a.txt', 'one')
    const other = { ...letters(), recipe: { ...embedder.recipe, taps: ['vowels'] } }
    await expect(run(['a.txt'], { embedder: other })).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
    const matrices = {
      ...embedder,
      embed: async () => ({ vectors: [{}], data: [], dimensions: 27, truncated: [], tokens: [], errors: [] }),
    } as unknown as typeof embedder
    await expect(run(['a.txt'], { embedder: matrices })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})

describe('indexFiles by passage', () => {
  const passages = (paths: string | string[], options: Partial<IndexFilesOptions> = {}) =>
    indexFiles(paths, { embedder, collection, cwd, ...options })
  const guide = '# Guide\n\n## Owls\n\nThey hoot at night.\n\n## Wrens\n\nThey sing in hedges.\n'
  const chunk = { tokens: 12, overlap: 0 }

  it('stores passages with their place and all of their text', async () => {
    const long = `${'a towhee sings '.repeat(60)}.`
    write('notes/guide.md', guide)
    write('notes/long.txt', long)
    expect(await passages('notes', { chunk: { tokens: 400 } })).toMatchObject({ indexed: 2, skippedCount: 0 })
    expect(await ids()).toEqual(['notes/guide.md#L1-L9', 'notes/long.txt#L1'])
    expect((await collection.metadata(['notes/long.txt#L1']))[0]).toMatchObject({
      by: 'passage',
      line: 1,
      endLine: 1,
      text: long,
    })
    expect(await passages('notes', { chunk })).toMatchObject({ replaced: 1 })
    expect((await ids()).slice(0, 2)).toEqual(['notes/guide.md#L1-L5', 'notes/guide.md#L7-L9'])
    expect((await collection.metadata(['notes/guide.md#L7-L9']))[0]).toMatchObject({
      heading: 'Guide',
      text: 'Wrens\n\nThey sing in hedges.',
    })
  })

  it('replaces what has moved or gone from a file, and nothing else', async () => {
    write('notes/guide.md', guide)
    write('notes/other.txt', 'left alone')
    await passages('notes', { chunk })
    write('notes/guide.md', guide.replace('# Guide\n', '# Guide\n\nA line more.\n'))
    rmSync(join(cwd, 'notes/other.txt'))
    expect(await passages('notes', { chunk })).toMatchObject({ replaced: 2, pruned: 0 })
    expect(await ids()).toEqual([
      'notes/guide.md#L1-L3',
      'notes/guide.md#L5-L7',
      'notes/guide.md#L9-L11',
      'notes/other.txt#L1',
    ])
    expect(await passages('notes', { chunk, prune: true })).toMatchObject({
      replaced: 0,
      pruned: 1,
      unchanged: 3,
    })
  })

  it('goes on by line where a collection was made so, and keeps no rows of two ways', async () => {
    write('notes/guide.md', guide)
    await run(['notes'])
    expect(await passages('notes')).toMatchObject({ indexed: 0, unchanged: 5, replaced: 0 })
    expect(await passages('notes', { by: 'passage' })).toMatchObject({ indexed: 1, replaced: 5 })
    expect(await ids()).toEqual(['notes/guide.md#L1-L9'])
    expect(await passages('notes')).toMatchObject({ indexed: 0, unchanged: 1 })
    expect(await passages('notes', { by: 'line' })).toMatchObject({ indexed: 5, replaced: 1 })
    expect(await ids()).toHaveLength(5)
  })

  it('leaves out what a folder holds and cannot be read, counted by kind; named, it is an error', async () => {
    write('package/__init__.py', '')
    write('package/a.txt', 'a line\n')
    write('package/b/__init__.py', '')
    write('package/german.txt', Buffer.from('gr\xfcn', 'latin1'))
    write('package/lib.so', Buffer.from('\x7fELF\x02', 'latin1'))
    write('package/photo.png', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))
    write('package/rows.jsonl', '{"text":"one"}\nno row\n')
    const report = await passages('package')
    expect(report).toMatchObject({ indexed: 2, skippedCount: 6 })
    expect(report.skippedKinds).toMatchObject([
      {
        reason: '… is empty.',
        code: 'FILE_EMPTY',
        count: 2,
        examples: ['package/__init__.py', 'package/b/__init__.py'],
      },
      { reason: expect.stringMatching(/^… is not valid UTF-8\./), count: 1 },
      { reason: '… is an ELF program or library, which is not read.', count: 1 },
      { reason: expect.stringMatching(/^… is a picture, and letters embeds text\./), count: 1 },
      { reason: 'A line of … is no JSON object.', count: 1 },
    ])
    for (const name of ['__init__.py', 'german.txt', 'lib.so', 'photo.png', 'rows.jsonl'])
      await expect(passages(`package/${name}`), name).rejects.toBeInstanceOf(PipiloError)
    expect(await passages('package/german.txt', { encoding: 'latin1' })).toMatchObject({ indexed: 1 })
  })

  it('takes one kind of a mixed folder where another run takes the other', async () => {
    write('mixed/a.png', Buffer.from('\x89PNG\r\n\x1a\nowl', 'latin1'))
    write('mixed/b.txt', 'an owl')
    write('mixed/empty.png', '')
    expect(await passages('mixed', { only: 'text' })).toMatchObject({ indexed: 1, skippedCount: 0 })
    embedder = letters('image')
    collection = await store.collection('pictures', { embedder })
    expect(await passages('mixed', { only: 'image' })).toMatchObject({ indexed: 1, skippedCount: 1 })
  })

  it('writes the metadata of the caller beside vectors that are there', async () => {
    write('notes/guide.md', guide)
    write('notes/other.txt', 'an owl')
    const asked: string[] = []
    const metadata = ({ path, size }: { path: string; size?: number }) => {
      asked.push(`${path} ${size}`)
      return { project: path.split('/')[0]!, long: (size ?? 0) > 50 }
    }
    await passages('notes', { chunk, metadata })
    expect(asked).toEqual([`notes/guide.md ${guide.length}`, 'notes/other.txt 6'])
    const [row] = await collection.get(['notes/guide.md#L7-L9'])
    expect(row!.metadata).toMatchObject({ project: 'notes', long: true, line: 7 })
    embedder.embedded.length = 0
    const moved = { chunk, metadata: () => ({ project: 'birds' }) }
    expect(await passages('notes', moved)).toMatchObject({ indexed: 0, unchanged: 3 })
    expect(embedder.embedded).toEqual([])
    const [after] = await collection.get(['notes/guide.md#L7-L9'])
    expect(after!.metadata).toMatchObject({ project: 'birds' })
    expect(after!.metadata['long'] ?? null).toBeNull()
    expect(after!.vector).toEqual(row!.vector)
    const taken = passages('notes', { metadata: () => ({ path: 'mine' }) })
    await expect(taken).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  it('has the chunks of the embedder, and tells of lines that are longer than it reads', async () => {
    const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    const e = await openModel(model, {
      maxLength: 12,
      chunk: { tokens: 8, pool: 'keep' },
      runtime: { workers: 0 },
    })
    const notes = await store.collection('kept', { embedder: e })
    write('a.txt', 'a towhee sings in the brush and an owl hoots and a wren sings')
    const { indexed } = await passages('a.txt', { embedder: e, collection: notes })
    expect(indexed).toBeGreaterThan(1)
    const plain = await openModel(model, { maxLength: 12, runtime: { workers: 0 } })
    const lines = await store.collection('lines', { embedder: plain })
    const byLine = { embedder: plain, collection: lines, by: 'line' } as const
    expect(await passages('a.txt', byLine)).toMatchObject({ indexed: 1, truncated: 1 })
    write('b.txt', 'a towhee sings in the brush and an owl hoots and a wren sings\n'.repeat(2))
    expect(await passages('b.txt', byLine)).toMatchObject({ indexed: 2, truncated: 2 })
    await e.dispose()
    await plain.dispose()
  })
})

describe('pruning where files cannot be looked for', () => {
  const at = (path: string) => join(cwd, path)
  const skipping = { prune: true, onError: 'skip' } as const
  /** Three rows of notes, one of them below a folder, and one elsewhere whose file has gone. */
  const stored = async () => {
    write('notes/a.txt', 'one\ntwo\n')
    write('notes/deep/b.txt', 'three\n')
    write('other/c.txt', 'four\n')
    write('other/d.txt', 'five\n')
    await run(['notes', 'other'])
    rmSync(at('other/d.txt'))
  }

  it.each<[string, string, string, () => void]>([
    ['a folder that is missing', 'notes', 'FILE_NOT_FOUND', () => {}],
    ['a glob in a folder that is missing', 'notes/*.txt', 'FILE_NOT_FOUND', () => {}],
    ['a folder that is empty', 'notes', 'FILE_NOT_FOUND', () => mkdirSync(at('notes'))],
    [
      'a folder of nothing but folders',
      'notes',
      'FILE_NOT_FOUND',
      () => mkdirSync(at('notes/deep'), { recursive: true }),
    ],
    ['a glob in a folder that is empty', 'notes/**', 'FILE_NOT_FOUND', () => mkdirSync(at('notes'))],
    ['a link that leads nowhere', 'notes', 'FILE_NOT_FOUND', () => symlinkSync(at('unmounted'), at('notes'))],
    ['a link to itself', 'notes', 'FILE_UNREADABLE', () => symlinkSync(at('notes'), at('notes'))],
    ['a folder below a file', 'notes/deep', 'FILE_NOT_FOUND', () => writeFileSync(at('notes'), '')],
  ])('removes nothing below %s, says so, and goes on elsewhere', async (_, spec, code, happens) => {
    await stored()
    renameSync(at('notes'), at('away'))
    happens()
    const rows = spec === 'notes/deep' ? 1 : 3
    expect(await run([spec, 'other'], skipping)).toMatchObject({
      pruned: 1,
      kept: [{ path: spec, rows, error: { code } }],
    })
    expect(await ids()).toEqual(['notes/a.txt:1', 'notes/a.txt:2', 'notes/deep/b.txt:1', 'other/c.txt:1'])
    rmSync(at('notes'), { recursive: true, force: true })
    renameSync(at('away'), at('notes'))
    expect(await run([spec], skipping)).toMatchObject({ pruned: 0, kept: [], indexed: 0 })
  })

  it('removes nothing below a missing folder whose name looks like a glob', async () => {
    write('notes [2020]/a.txt', 'one\n')
    write('b.txt', 'two\n')
    await run(['notes [2020]', 'b.txt'])
    rmSync(at('b.txt'))
    // It is no glob as long as it is there: what lies beside it stays.
    expect(await run(['notes [2020]'], skipping)).toMatchObject({ pruned: 0, kept: [], unchanged: 1 })
    renameSync(at('notes [2020]'), at('away'))
    write('c.txt', 'three\n')
    expect(await run(['notes [2020]', '*.txt'], skipping)).toMatchObject({
      pruned: 1,
      kept: [{ path: 'notes [2020]', rows: 1 }],
    })
    expect(await ids()).toEqual(['c.txt:1', 'notes [2020]/a.txt:1'])
  })

  it('removes nothing when a named file is missing, nor below a folder in it that a link no longer leads to', async () => {
    write('far/b.txt', 'two\n')
    write('notes/a.txt', 'one\n')
    write('notes/c.txt', 'three\n')
    symlinkSync(at('far'), at('notes/far'))
    await run(['notes'])
    renameSync(at('far'), at('away'))
    rmSync(at('notes/c.txt'))
    expect(await run(['notes'], skipping)).toMatchObject({
      pruned: 1,
      kept: [{ path: at('notes/far'), rows: 1, error: { code: 'FILE_NOT_FOUND' } }],
    })
    rmSync(at('notes/a.txt'))
    expect(await run(['notes/a.txt'], skipping)).toMatchObject({
      pruned: 0,
      kept: [{ path: 'notes/a.txt', rows: 1, error: { code: 'FILE_NOT_FOUND' } }],
    })
    expect(await ids()).toEqual(['notes/a.txt:1', 'notes/far/b.txt:1'])
  })

  it('keeps the row of a file that is a link to nowhere', async () => {
    write('far.txt', 'two\n')
    write('notes/a.txt', 'one\n')
    symlinkSync(at('far.txt'), at('notes/far.txt'))
    await run(['notes'])
    renameSync(at('far.txt'), at('away.txt'))
    expect(await run(['notes'], skipping)).toMatchObject({ pruned: 0, skippedCount: 1 })
  })

  it('removes nothing below a folder that goes away, or becomes empty, while it is read', async () => {
    for (const empty of [false, true]) {
      await stored()
      write('notes/new.txt', 'new\n')
      const leaving = {
        ...embedder,
        embed: async (...args: Parameters<typeof embedder.embed>) => {
          renameSync(at('notes'), at('away'))
          if (empty) mkdirSync(at('notes'))
          return embedder.embed(...args)
        },
      }
      rmSync(at('notes/deep'), { recursive: true })
      expect(await run(['notes'], { embedder: leaving, prune: true })).toMatchObject({
        indexed: 1,
        pruned: 0,
        kept: [{ path: 'notes', rows: 1, error: { code: 'FILE_NOT_FOUND' } }],
      })
      rmSync(at('notes'), { recursive: true, force: true })
      renameSync(at('away'), at('notes'))
      rmSync(at('notes/new.txt'))
      expect(await run(['notes'], { prune: true })).toMatchObject({ pruned: 2 })
    }
  })

  it.skipIf(process.getuid?.() === 0)('removes nothing that may not be read', async () => {
    await stored()
    rmSync(at('notes/deep/b.txt'))
    chmodSync(at('notes/a.txt'), 0)
    chmodSync(at('notes/deep'), 0)
    try {
      expect(await run(['notes'], { prune: 'all', onError: 'skip' })).toMatchObject({
        pruned: 0,
        kept: [{ path: at('notes/deep'), rows: 1, error: { code: 'FILE_UNREADABLE' } }],
      })
    } finally {
      chmodSync(at('notes/deep'), 0o700)
    }
  })

  it("takes what is missing for gone when told 'all', but not what cannot be read", async () => {
    await stored()
    renameSync(at('notes'), at('away'))
    symlinkSync(at('notes'), at('notes'))
    const all = { prune: 'all', onError: 'skip' } as const
    expect(await run(['notes'], all)).toMatchObject({
      pruned: 0,
      kept: [{ path: at('notes'), rows: 3, error: { code: 'FILE_UNREADABLE' } }],
    })
    rmSync(at('notes'))
    mkdirSync(at('notes'))
    expect(await run(['notes'], { prune: 'all' })).toMatchObject({ pruned: 3, kept: [] })
    rmSync(at('other'), { recursive: true })
    await expect(run(['other'], { prune: 'all' })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    expect(await run(['other'], all)).toMatchObject({ pruned: 2, kept: [] })
  })

  it('knows the folder of a file: URL', async () => {
    await stored()
    const other = pathToFileURL(at('other')).href
    expect(await run([other, 'https://example.org/a.png'], skipping)).toMatchObject({ pruned: 1, kept: [] })
    expect(await ids()).toHaveLength(4)
  })
})
