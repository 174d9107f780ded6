import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { describe, expect, it } from 'vitest'
import { readNpy } from '../src/tensor/files/index.ts'
import { cosineSimilarity } from '../src/tensor/index.ts'
import { emptyFolder, lines, pipilo, project, samples, start } from './pipilo.ts'

interface Line {
  id: string
  vector: number[]
}

const length = (vector: readonly number[]) => Math.hypot(...vector)
const cosine = (a: readonly number[], b: readonly number[]) =>
  cosineSimilarity(Float32Array.from(a), Float32Array.from(b))

function folderWithPictures(...names: string[]): string {
  const cwd = emptyFolder()
  mkdirSync(join(cwd, 'photos'))
  for (const name of names) cpSync(join(samples, 'pictures', name), join(cwd, 'photos', name))
  return cwd
}

/** A folder with a model in `m` that names the prompts query and document. */
function folderWithPrompts(): string {
  const cwd = emptyFolder()
  cpSync(join(project, 'src/models/testdata/sentence-transformers'), join(cwd, 'm'), { recursive: true })
  return cwd
}

describe('pipilo', () => {
  it('prints help and version', async () => {
    const cwd = emptyFolder()
    const help = await pipilo(['--help'], { cwd })
    expect(help.status).toBe(0)
    for (const name of ['embed', 'index', 'search', 'inspect', 'export', 'models', 'demo']) {
      expect(help.stdout).toContain(name)
      const own = await pipilo([name, '--help'], { cwd })
      expect(own.status).toBe(0)
      expect(own.stdout).toContain('EXAMPLES')
      const prompts = ['embed', 'index', 'search'].includes(name)
      expect(/--prompt=.*--prompt-text=/s.test(own.stdout)).toBe(prompts)
    }
    const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
    expect((await pipilo(['--version'], { cwd })).stdout).toBe(`${version}\n`)
  })

  it.each([
    [['embde'], 'Did you mean embed'],
    [['embed', '--modle', 'x', 'a'], 'Did you mean --model'],
    [['embed'], 'Nothing to embed'],
    [['embed', '--text', 'a', '--out', 'a.csv'], '.npy, .jsonl or .parquet'],
    [['embed', '--text', 'a', '--pool', 'median'], 'cls, mean, max, last, none'],
    [['embed', '--text', 'a', '--threads', 'many'], 'whole number'],
    [['search', 'a', '--filter', '[1]'], 'JSON object'],
    [['search', 'a', '-k', '0'], 'at least 1'],
    ...['embed', 'index', 'search'].map((name): [string[], string] => [
      [name, 'a', '--prompt', 'query', '--prompt-text', 'query: '],
      '--prompt and --prompt-text contradict each other',
    ]),
    [['export', 'mobilenet-v2'], 'needs -o'],
    [[], 'Which command?'],
  ])('%j is wrong usage: status 2', async (args, sentence) => {
    const { status, stdout, stderr } = await pipilo(args, { cwd: emptyFolder() })
    expect(stderr).toContain(sentence)
    expect(status).toBe(2)
    expect(stdout).toBe('')
  })
})

describe('pipilo embed', () => {
  it('embeds arguments, a line a text, and says nothing else in a pipe', async () => {
    const { status, stdout, stderr } = await pipilo(['embed', '--text', 'football', 'soccer', 'footwear'], {
      cwd: emptyFolder(),
    })
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const rows = lines<Line>(stdout)
    expect(rows.map(({ id }) => id)).toEqual(['text:0', 'text:1', 'text:2'])
    const [football, soccer, footwear] = rows.map(({ vector }) => vector)
    expect(football).toHaveLength(384)
    expect(length(football!)).toBeCloseTo(1, 5)
    expect(cosine(football!, soccer!)).toBeGreaterThan(cosine(football!, footwear!))
  })

  it('reads lines of standard input and of files, with ids that say where they stood', async () => {
    const cwd = emptyFolder()
    mkdirSync(join(cwd, 'notes'))
    writeFileSync(join(cwd, 'notes/a.txt'), 'one\ntwo\n')
    writeFileSync(join(cwd, 'notes/b.md'), 'three')
    const piped = await pipilo(['embed', '-', '--dimensions', '16'], { cwd, input: 'one\ntwo\n' })
    expect(lines<Line>(piped.stdout)).toHaveLength(2)
    const files = await pipilo(['embed', 'notes', '--by', 'line', '--dimensions', '16'], { cwd })
    const rows = lines<Line>(files.stdout)
    expect(rows.map(({ id }) => id)).toEqual(['notes/a.txt:1', 'notes/a.txt:2', 'notes/b.md:1'])
    expect(rows[0]!.vector).toHaveLength(16)
    expect(length(rows[0]!.vector)).toBeCloseTo(1, 5)
    const glob = await pipilo(['embed', 'notes/*.txt', '--by', 'line', '--dimensions', '16'], { cwd })
    expect(lines<Line>(glob.stdout)).toEqual(rows.slice(0, 2))
  })

  it('writes .npy with its ids, .parquet and .jsonl with the same vectors', async () => {
    const cwd = emptyFolder()
    const words = ['red', 'green', 'blue']
    for (const out of ['v.npy', 'v.parquet', 'v.jsonl']) {
      const { status, stdout, stderr } = await pipilo(['embed', '--text', ...words, '--out', out], { cwd })
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
    }
    expect(readdirSync(cwd).sort()).toEqual(['v.ids.jsonl', 'v.jsonl', 'v.npy', 'v.parquet'])
    const rows = lines<Line>(readFileSync(join(cwd, 'v.jsonl'), 'utf8'))
    const npy = await readNpy(join(cwd, 'v.npy'))
    expect(npy.shape).toEqual([3, 384])
    expect(Array.from(npy.data as Float32Array)).toEqual(
      rows.flatMap(({ vector }) => vector.map(Math.fround)),
    )
    expect(lines<string>(readFileSync(join(cwd, 'v.ids.jsonl'), 'utf8'))).toEqual([
      'text:0',
      'text:1',
      'text:2',
    ])
    const parquet = await parquetReadObjects({ file: await asyncBufferFromFile(join(cwd, 'v.parquet')) })
    expect(parquet.map(({ id }) => id)).toEqual(['text:0', 'text:1', 'text:2'])
    expect(parquet.map(({ vector }) => Array.from(vector as number[]))).toEqual(
      rows.map(({ vector }) => vector.map(Math.fround)),
    )
  })

  it('embeds pictures, any layer of them, with and without normalisation', async () => {
    const cwd = folderWithPictures('cat.jpg', 'cat-face.jpg')
    const usual = lines<Line>((await pipilo(['embed', 'photos'], { cwd })).stdout)
    expect(usual.map(({ id }) => id)).toEqual(['photos/cat-face.jpg', 'photos/cat.jpg'])
    expect(length(usual[0]!.vector)).toBeCloseTo(1, 5)
    const options = ['--tap', 'block_6_expand_relu', '--pool', 'max', '--no-normalize']
    const early = lines<Line>((await pipilo(['embed', 'photos', ...options], { cwd })).stdout)
    expect(length(early[0]!.vector)).not.toBeCloseTo(1, 1)
    const none = await pipilo(['embed', '--text', 'Hello, world!', '--pool', 'none'], { cwd })
    const [matrix] = lines<{ id: string; vectors: number[][] }>(none.stdout)
    expect(matrix!.vectors).toHaveLength(6)
    expect(matrix!.vectors[0]).toHaveLength(384)
  })

  it('stops at a bad input, or skips it and says so', async () => {
    const cwd = folderWithPictures('cat.jpg')
    const photograph = readFileSync(join(cwd, 'photos/cat.jpg'))
    writeFileSync(join(cwd, 'photos/cut.jpg'), photograph.subarray(0, photograph.length / 2))
    writeFileSync(join(cwd, 'photos/empty.jpg'), '')
    writeFileSync(join(cwd, 'photos/text.jpg'), 'no picture at all')
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="60000" height="60000"/>'
    writeFileSync(join(cwd, 'photos/huge.jpg'), svg)
    mkdirSync(join(cwd, 'photos/folder.jpg'))
    const named = ['embed', 'photos/cat.jpg', 'photos/cut.jpg', '--as', 'image', '--out', 'v.jsonl']
    const thrown = await pipilo(named, { cwd })
    expect(thrown.status).toBe(1)
    expect(existsSync(join(cwd, 'v.jsonl'))).toBe(false)
    expect((await pipilo([...named, '--on-error', 'skip'], { cwd })).stderr).toContain('skipped 1 input')
    // What a glob finds is nobody's mistake.
    const args = ['embed', 'photos/*.jpg', '--as', 'image', '--out', 'v.jsonl']
    const skipped = await pipilo(args, { cwd })
    expect(skipped.status).toBe(0)
    expect(skipped.stderr).toContain('skipped 4 inputs')
    expect(skipped.stderr).toMatch(/huge\.jpg has more than 268,402,689 pixels/)
    for (const name of ['cut', 'empty', 'text']) expect(skipped.stderr).toContain(`photos/${name}.jpg`)
    expect(lines<Line>(readFileSync(join(cwd, 'v.jsonl'), 'utf8')).map(({ id }) => id)).toEqual([
      'photos/cat.jpg',
    ])
    const missing = await pipilo(['embed', 'nowhere.jpg'], { cwd })
    expect(missing.status).toBe(1)
    expect(missing.stderr).toContain('[FILE_NOT_FOUND]')
  })

  it('reads of a text file what is UTF-8, and gives no text to an image model', async () => {
    const cwd = emptyFolder()
    writeFileSync(join(cwd, 'notes.txt'), Buffer.from('fine\nb\xe4d\nfine too\n', 'latin1'))
    const skipped = await pipilo(
      ['embed', 'notes.txt', 'file://elsewhere/a.txt', '--by', 'line', '--on-error', 'skip'],
      {
        cwd,
      },
    )
    expect(skipped.status).toBe(0)
    expect(lines<Line>(skipped.stdout).map(({ id }) => id)).toEqual(['notes.txt:1', 'notes.txt:3'])
    expect(skipped.stderr).toContain('Line 2 of notes.txt is not valid UTF-8')
    expect(skipped.stderr).toContain('file://elsewhere/a.txt names no file on this machine')
    const text = await pipilo(['embed', '--text', 'a bird', '--model', 'mobilenet-v2'], { cwd })
    expect(text.status).toBe(1)
    expect(text.stderr).toContain('text:0 is text, and mobilenet-v2 embeds pictures')
    const picture = ['embed', join(samples, 'pictures/cat.jpg'), '--model', 'all-MiniLM-L6-v2']
    const pictured = await pipilo(picture, { cwd })
    expect(pictured.status).toBe(1)
    expect(pictured.stderr).toContain('is a picture, and all-MiniLM-L6-v2 embeds text')
  })

  it('reads the places of a checkpoint, and inspect lists them', async () => {
    const cwd = emptyFolder()
    const model = join(project, 'src/models/testdata/vision/resnet50')
    const args = [
      'embed',
      join(samples, 'pictures/cat.jpg'),
      '--model',
      model,
      '--tap',
      'stages.2,penultimate',
    ]
    const embedded = await pipilo(args, { cwd })
    expect(embedded.stderr).toBe('')
    expect(lines<Line>(embedded.stdout)[0]!.vector).toHaveLength(16 + 24)
    const { stages, places } = JSON.parse((await pipilo(['inspect', model, '--json'], { cwd })).stdout)
    expect(stages.at(-1)).toEqual({ name: 'layer4', stride: 32, channels: 24 })
    expect(places).toContainEqual({ name: 'global_pool', layer: 'global_pool' })
    const listed = await pipilo(['inspect', model], { cwd })
    expect(listed.stdout).toContain('stage   layer3: stride 16, 24 channels')
  })

  it('opens models in integers and for pictures of another size', async () => {
    const cwd = emptyFolder()
    const vectorOf = async (...options: string[]) => {
      const { stderr, stdout } = await pipilo(['embed', '--text', 'a walk by the sea', ...options], { cwd })
      expect(stderr).toBe('')
      return lines<Line>(stdout)[0]!.vector
    }
    const [exact, small] = [await vectorOf(), await vectorOf('--dtype', 'int8')]
    expect(small).not.toEqual(exact)
    expect(cosine(exact, small)).toBeGreaterThan(0.99)
    const size = await pipilo(['embed', '--text', 'a', '--size', '2x'], { cwd })
    expect([size.status, size.stderr]).toEqual([2, expect.stringContaining('224x288')])
    const dtype = await pipilo(['embed', '--text', 'a', '--dtype', 'int4'], { cwd })
    expect([dtype.status, dtype.stderr]).toEqual([2, expect.stringContaining('fp32, fp16, int8')])
    cpSync(
      join(project, 'src/models/testdata/vision/resnet50/model.safetensors'),
      join(cwd, 'weights.safetensors'),
    )
    const unnamed = await pipilo(['inspect', 'weights.safetensors'], { cwd })
    const listed = /says what it is\. It holds \d+ tensors[\s\S]*conv1\.0\.weight +float/
    expect([unnamed.status, unnamed.stdout]).toEqual([0, expect.stringMatching(listed)])
    const folder = join(project, 'src/models/testdata/vision/resnet50')
    const inspected = await pipilo(['inspect', folder, '--size', '96x64', '--json'], { cwd })
    expect(JSON.parse(inspected.stdout).inputs[0].shape).toEqual(['batch', 3, 96, 64])
  })

  it('offers the closest names for an unknown layer or model', async () => {
    const cwd = emptyFolder()
    const layer = await pipilo(['embed', '--text', 'a', '--tap', 'encoder.layer.9'], { cwd })
    expect(layer.status).toBe(1)
    expect(layer.stderr).toContain('encoder.layer.')
    expect(layer.stderr).toContain('[LAYER_UNKNOWN]')
    const model = await pipilo(['embed', '--text', 'a', '--model', 'all-MiniLM-L6-v3'], { cwd })
    expect(model.status).toBe(1)
    expect(model.stderr).toContain('all-MiniLM-L6-v2')
  })

  it('puts a prompt before texts, by its name or by its words', async () => {
    const cwd = folderWithPrompts()
    const vector = async (...args: string[]) => {
      const { status, stdout, stderr } = await pipilo(['embed', '--text', ...args, '--model', './m'], { cwd })
      return { status, stderr, vector: lines<Line>(stdout)[0]?.vector }
    }
    const written = (await vector('query: snow')).vector
    const plain = (await vector('snow')).vector
    expect(plain).not.toEqual(written)
    expect((await vector('snow', '--prompt', 'query')).vector).toEqual(written)
    expect((await vector('snow', '--prompt-text', 'query: ')).vector).toEqual(written)
    expect((await vector('snow', '--prompt-text', '')).vector).toEqual(plain)
    const unknown = await vector('snow', '--prompt', 'docment')
    expect(unknown.status).toBe(1)
    expect(unknown.stderr).toMatch(/names document, query\..*--prompt-text.*\[PROMPT_UNKNOWN\]/)
    cpSync(join(samples, 'pictures/cat.jpg'), join(cwd, 'cat.jpg'))
    const picture = await pipilo(['embed', 'cat.jpg', '--prompt', 'query'], { cwd })
    expect(picture.stderr).toContain('embeds pictures, and a prompt is put before texts')
    expect(picture.status).toBe(1)
  })

  it('ends cleanly on Ctrl-C, leaving no half file', async () => {
    const cwd = emptyFolder()
    const running = start(['embed', '-', '--out', 'v.jsonl'], { cwd, input: null })
    running.write('football\n')
    const written = () => readdirSync(cwd).map((name) => statSync(join(cwd, name)).size)
    await expect.poll(() => written()[0] ?? 0, { timeout: 30_000 }).toBeGreaterThan(0)
    running.kill('SIGINT')
    const { status, stderr } = await running.ended
    expect(stderr).toBe('pipilo: stopped\n')
    expect(status).toBe(130)
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('pipilo index and search', () => {
  it('says on Ctrl-C what is stored, and goes on from there', async () => {
    const cwd = emptyFolder()
    const words = (from: number) => Array.from({ length: 600 }, (_, i) => `row ${from + i}`).join('\n')
    for (const i of [0, 1, 2]) writeFileSync(join(cwd, `${i}.txt`), words(600 * i))
    const running = start(['index', '0.txt', '1.txt', '2.txt', '--by', 'line'], { cwd, input: null })
    const data = join(cwd, '.pipilo/texts.lance/data')
    const stored = () => (existsSync(data) ? readdirSync(data).length : 0)
    await expect.poll(stored, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0)
    running.kill('SIGINT')
    const { status, stderr } = await running.ended
    const [, rows] = /^texts: (\d+) rows in \S*\.pipilo; run it again to go on\npipilo: stopped\n$/.exec(
      stderr,
    )!
    expect([Number(rows) % 512, status]).toEqual([0, 130])
    const { stdout } = await pipilo(['index', '0.txt', '1.txt', '2.txt', '--by', 'line', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({
      indexed: 1800 - Number(rows),
      unchanged: Number(rows),
      rows: 1800,
    })
  })

  it('finds pictures by a picture, takes up changes, and prunes', async () => {
    const cwd = folderWithPictures('cat.jpg', 'cat-face.jpg', 'coffee.jpg', 'coffee-cup.jpg', 'rocket.jpg')
    const indexed = (text: string) => JSON.parse(text) as Record<string, unknown>
    const first = await pipilo(['index', 'photos', '--json'], { cwd })
    expect(first.stderr).toBe('')
    expect(indexed(first.stdout)).toMatchObject({ collection: 'pictures', indexed: 5, unchanged: 0, rows: 5 })
    const second = await pipilo(['index', 'photos', '--json'], { cwd })
    expect(indexed(second.stdout)).toMatchObject({ indexed: 0, unchanged: 5, rows: 5 })
    const found = await pipilo(['search', 'photos/coffee-cup.jpg', '-k', '2', '--json'], { cwd })
    const hits = JSON.parse(found.stdout) as { id: string; score: number }[]
    expect(hits.map(({ id }) => id)).toEqual(['photos/coffee-cup.jpg', 'photos/coffee.jpg'])
    expect(hits[0]!.score).toBeCloseTo(1, 3)
    rmSync(join(cwd, 'photos/rocket.jpg'))
    cpSync(join(samples, 'pictures/bricks.jpg'), join(cwd, 'photos/cat.jpg'))
    const third = await pipilo(['index', 'photos', '--prune', '--json'], { cwd })
    expect(indexed(third.stdout)).toMatchObject({ indexed: 1, unchanged: 3, pruned: 1, rows: 4 })
    // A disk that is not mounted leaves an empty folder.
    renameSync(join(cwd, 'photos'), join(cwd, 'away'))
    mkdirSync(join(cwd, 'photos'))
    const model = ['--model', 'mobilenet-v2-whitened', '--json']
    const unmounted = await pipilo(['index', 'photos', '--prune', ...model], { cwd })
    expect(unmounted.status).toBe(1)
    expect(unmounted.stderr).toContain('4 from photos (There is no file in photos.)')
    expect(indexed(unmounted.stdout)).toMatchObject({ pruned: 0, rows: 4 })
    const all = await pipilo(['index', 'photos', '--prune-all', ...model], { cwd })
    expect(indexed(all.stdout)).toMatchObject({ pruned: 4, rows: 0 })
  })

  it('takes a mixed folder apart by kind, leaves out what it cannot read, and finds passages', async () => {
    const cwd = folderWithPictures('cat.jpg')
    mkdirSync(join(cwd, 'folder'))
    writeFileSync(join(cwd, 'folder/__init__.py'), '')
    writeFileSync(join(cwd, 'folder/a.txt'), 'a line\n')
    cpSync(join(cwd, 'photos/cat.jpg'), join(cwd, 'folder/a-cat.jpg'))
    writeFileSync(join(cwd, 'folder/program'), Buffer.from('\x7fELF\x02\x01\0', 'latin1'))
    writeFileSync(join(cwd, 'folder/empty-too.txt'), '')
    writeFileSync(
      join(cwd, 'folder/guide.md'),
      '# Guide\n\n## Feeding\n\nSeeds.\n\n## Retrying\n\nA failed request is sent again.\n',
    )
    const indexed = await pipilo(['index', 'folder', '--json', '--chunk', '16'], { cwd })
    expect(indexed.status).toBe(0)
    expect(lines(indexed.stdout)).toMatchObject([
      { collection: 'texts', skipped: 3, skippedKinds: [{ reason: '… is empty.', count: 2 }, { count: 1 }] },
      { collection: 'pictures', indexed: 1, skipped: 0 },
    ])
    expect(indexed.stderr).toContain('2 × … is empty. (folder/__init__.py, folder/empty-too.txt)')
    expect(indexed.stderr).toContain('folder/program: folder/program is an ELF program or library')
    const found = await pipilo(['search', 'how do I retry?', '--collection', 'texts', '-k', '1'], { cwd })
    expect(found.stdout).toMatch(
      /^0\.\d+ {2}folder\/guide\.md#L7-L9 {2}Guide\n {8}Retrying\n {8}A failed request/,
    )
    const embedded = await pipilo(['embed', 'folder'], { cwd })
    expect(lines<Line>(embedded.stdout).map(({ id }) => id)).toContain('folder/a-cat.jpg')
    expect(lines<Line>(embedded.stdout).map(({ id }) => id)).toContain('folder/a.txt#L1')
    const array = await pipilo(['embed', 'folder', '--out', 'v.npy'], { cwd })
    expect([array.status, array.stderr]).toEqual([2, expect.stringContaining('two models')])
    // What is named is an error.
    const named = await pipilo(['index', 'folder/__init__.py', 'folder/a.txt'], { cwd })
    expect([named.status, named.stderr]).toEqual([1, expect.stringContaining('[FILE_EMPTY]')])
  })

  it('searches lines of text with a filter, and refuses another model', async () => {
    const cwd = emptyFolder()
    writeFileSync(
      join(cwd, 'notes.txt'),
      'The cat sleeps.\nA goal in the last minute.\nThe keeper saved the penalty.\n',
    )
    await pipilo(['index', 'notes.txt', '--by', 'line'], { cwd })
    const all = await pipilo(['search', 'football match', '--json'], { cwd })
    const ids = (JSON.parse(all.stdout) as { id: string }[]).map(({ id }) => id)
    expect(ids.at(-1)).toBe('notes.txt:1')
    const filtered = await pipilo(['search', 'football match', '--filter', '{"line":{"lt":3}}', '--json'], {
      cwd,
    })
    expect(JSON.parse(filtered.stdout)).toHaveLength(2)
    const table = await pipilo(['search', 'football match', '-k', '1'], { cwd })
    expect(table.stdout).toMatch(/score {2}id .*text/)
    const other = await pipilo(['index', 'notes.txt', '--tap', 'encoder.layer.3', '--collection', 'texts'], {
      cwd,
    })
    expect(other.status).toBe(1)
    expect(other.stderr).toContain('[COLLECTION_MISMATCH]')
    const unknown = await pipilo(['search', 'x', '--collection', 'nothing'], { cwd })
    expect(unknown.stderr).toContain('[COLLECTION_UNKNOWN]')
  })
})

describe('prompts of pipilo index and search', () => {
  it('go before lines and queries, by name or by words', async () => {
    const cwd = folderWithPrompts()
    writeFileSync(join(cwd, 'notes.txt'), 'snow\n')
    const json = async <T>(...args: string[]) =>
      JSON.parse((await pipilo([...args, '--json'], { cwd })).stdout) as T
    const best = async (...args: string[]) => (await json<{ score: number }[]>('search', ...args))[0]!.score
    const index = ['index', 'notes.txt', '--model', './m']
    expect(await json(...index, '--prompt', 'document')).toMatchObject({ indexed: 1 })
    const none = ['--prompt-text', '']
    expect(await best('document: snow', ...none)).toBeCloseTo(1, 5)
    expect(await best('snow', '--prompt', 'document')).toBeCloseTo(1, 5)
    expect(await best('snow', '--prompt-text', 'document: ')).toBeCloseTo(1, 5)
    expect(await best('snow', '--prompt', 'query')).toBeCloseTo(await best('query: snow', ...none), 5)
    // By itself a query has the prompt that the model names for it, and what is stored its own.
    expect(await best('snow')).toBeCloseTo(await best('snow', '--prompt', 'query'), 5)
    expect(await json(...index, '--collection', 'own')).toMatchObject({ indexed: 1 })
    expect(await json('index', 'notes.txt', '--collection', 'own')).toMatchObject({ unchanged: 1 })
    expect(await best('snow', '--collection', 'own', '--prompt', 'document')).toBeCloseTo(1, 5)
    expect(await best('snow', '--collection', 'own')).toBeCloseTo(await best('snow'), 5)
    expect(await json(...index, '--collection', 'other', '--prompt-text', 'query: ')).toMatchObject({
      indexed: 1,
    })
    expect(await best('snow', '--collection', 'other')).toBeCloseTo(1, 5)
    for (const args of [
      ['search', 'snow', '--collection', 'other', '--prompt', 'passage'],
      [...index, '--collection', 'third', '--prompt', 'passage'],
    ]) {
      const { status, stderr } = await pipilo(args, { cwd })
      expect(stderr).toContain('[PROMPT_UNKNOWN]')
      expect(status).toBe(1)
    }
    const third = await pipilo(['search', 'snow', '--collection', 'third'], { cwd })
    expect(third.stderr).toContain('[COLLECTION_UNKNOWN]')
  })
})

describe('pipilo inspect, export, models, demo', () => {
  it('inspects a model as JSON and as a table', async () => {
    const cwd = emptyFolder()
    const { stdout } = await pipilo(['inspect', 'all-MiniLM-L6-v2', '--json'], { cwd })
    const { inputs, outputs, layers } = JSON.parse(stdout)
    expect(inputs.map(({ name }: { name: string }) => name)).toContain('input_ids')
    expect(outputs.length).toBeGreaterThan(0)
    const query = layers.find(({ name }: { name: string }) => name === 'encoder.layer.0.attention.self.query')
    expect(query).toEqual({
      name: 'encoder.layer.0.attention.self.query',
      kind: 'Linear',
      shape: ['batch', 'sequence', 384],
      parameters: 384 * 385,
    })
    const text = await pipilo(['inspect', 'mobilenet-v2'], { cwd })
    expect(text.stdout).toContain('block_13_project_BN')
  })

  it('exports an embedding that embeds the same', async () => {
    const cwd = folderWithPictures('cat.jpg')
    const options = ['--tap', 'block_3_expand_relu', '--pool', 'mean']
    const wrote = await pipilo(['export', 'mobilenet-v2', ...options, '-o', 'early.onnx'], { cwd })
    expect(wrote).toMatchObject({ status: 0, stderr: '' })
    const here = await pipilo(['embed', 'photos/cat.jpg', ...options], { cwd })
    const there = await pipilo(['embed', 'photos/cat.jpg', '--model', './early.onnx'], { cwd })
    expect(there.stderr).toBe('')
    const [a, b] = [here, there].map(({ stdout }) => lines<Line>(stdout)[0]!.vector)
    expect(a).toHaveLength(b!.length)
    expect(cosine(a!, b!)).toBeGreaterThan(0.99999)
  })

  it('lists the models and whether they are here', async () => {
    const { stdout } = await pipilo(['models', '--json'], { cwd: emptyFolder() })
    const cards = JSON.parse(stdout) as { name: string; offline: boolean; licence: string }[]
    for (const name of ['all-MiniLM-L6-v2', 'mobilenet-v2']) {
      expect(cards.find((card) => card.name === name)).toMatchObject({ offline: true })
    }
  })

  it('shows what Pipilo does, and reuses what is there the second time', async () => {
    const cwd = emptyFolder()
    const first = await pipilo(['demo'], { cwd })
    expect(first.stderr).toBe('')
    expect(first.stdout).toMatch(/\d+ embedded, 0 already there/)
    expect(first.stdout).toMatch(/football · soccer 0\.\d+ > football · footwear/)
    for (const next of ['pipilo index', 'pipilo search', 'pipilo inspect'])
      expect(first.stdout).toContain(next)
    const second = await pipilo(['demo', '--json'], { cwd })
    const { neighbours } = JSON.parse(second.stdout) as { neighbours: Record<string, unknown[]> }
    expect(Object.keys(neighbours).length).toBeGreaterThan(1)
    expect((await pipilo(['demo'], { cwd })).stdout).toMatch(/ 0 embedded, \d+ already there/)
  })
})
