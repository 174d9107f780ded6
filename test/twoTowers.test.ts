import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  relativeError,
  type TowerReferences,
  towerFolder,
  towerReferences,
} from '../src/models/testing/towers.ts'
import { l2Normalize } from '../src/tensor/index.ts'
import { emptyFolder, lines, pipilo, samples } from './pipilo.ts'

interface Line {
  id: string
  vector: number[]
}

const photos = ['cat.jpg', 'dogs.jpg', 'coffee.jpg', 'rocket.jpg']
let cwd: string
let references: TowerReferences
beforeEach(async () => {
  cwd = emptyFolder()
  await towerFolder('clip', cwd)
  references = await towerReferences()
  mkdirSync(join(cwd, 'photos'))
  for (const name of photos) cpSync(join(samples, 'pictures', name), join(cwd, 'photos', name))
  writeFileSync(join(cwd, 'captions.txt'), `${references.texts.slice(0, 3).join('\n')}\n`)
})
const model = ['--model', 'file:clip']

/** Runs to a good end. */
async function run(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await pipilo(args, { cwd })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

describe('the command line with a model of texts and pictures', () => {
  it('embeds files of both, mixed, and words', async () => {
    const rows = lines<Line>(await run('embed', 'captions.txt', '--by', 'line', 'photos', ...model))
    expect(rows.map(({ id }) => id)).toEqual([
      'captions.txt:1',
      'captions.txt:2',
      'captions.txt:3',
      ...[...photos].sort().map((name) => `photos/${name}`),
    ])
    const expected = references.clip.text_embeds.slice(0, 3).map((row) => [...l2Normalize(row)])
    expect(
      relativeError(
        rows.slice(0, 3).map(({ vector }) => vector),
        expected,
      ),
    ).toBeLessThan(1e-4)
    const [words] = lines<Line>(await run('embed', '--text', references.texts[0]!, ...model))
    expect(relativeError([words!.vector], expected.slice(0, 1))).toBeLessThan(1e-4)
  })

  it('indexes both into one collection and searches it by words and by a picture', async () => {
    const index = ['index', 'photos', 'captions.txt', '--by', 'line', '--collection', 'photos', ...model]
    expect(await run(...index)).toContain('photos: 7 indexed, 0 unchanged')
    const search = async (...args: string[]) =>
      JSON.parse(await run('search', ...args, '--json')) as { id: string; score: number; text?: string }[]
    const [same] = await search('photos/cat.jpg', '-k', '1')
    expect(same).toMatchObject({ id: 'photos/cat.jpg', score: expect.closeTo(1, 3) })
    const [caption] = await search(references.texts[1]!, '--collection', 'photos')
    expect(caption).toMatchObject({ id: 'captions.txt:2', score: expect.closeTo(1, 3) })
    const seen = await search(references.texts[1]!, '--collection', 'photos', '--filter', '{"line":null}')
    expect(seen.map(({ id }) => id).sort()).toEqual([...photos].sort().map((name) => `photos/${name}`))
    const words = await search('photos/cat.jpg', '--as', 'text', '-k', '1')
    expect(words[0]!.score).toBeLessThan(0.999)
    const prompted = await pipilo(['search', 'photos/cat.jpg', '--prompt-text', 'a photo of '], { cwd })
    expect(prompted.stderr).toContain('The query is a picture, and a prompt is put before texts')
    expect(prompted.status).toBe(1)
    const missing = await pipilo(['search', 'photos/owl.jpg'], { cwd })
    expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining('FILE_NOT_FOUND') })
  })

  it('shows both towers', async () => {
    const shown = await run('inspect', 'file:clip')
    expect(shown).toContain('tower   text: input_ids, attention_mask → text_embeds')
    expect(shown).toContain('tower   image: pixel_values → ')
    expect(shown).toContain('logits  cosine × 4.482, softmax')
    expect(shown).toContain('text_model.encoder.layers.1.mlp')
    expect(shown).toContain('vision_model.encoder.layers.1.mlp')
    const { towers, layers } = JSON.parse(await run('inspect', 'file:clip', '--json'))
    expect(towers.image.stages).toHaveLength(2)
    expect(towers.logitScale).toBeCloseTo(Math.exp(1.5), 4)
    expect(layers.some(({ name }: { name: string }) => name === 'vision_model.head')).toBe(false)
  })

  it('exports one tower, which embeds the same', async () => {
    const which = await pipilo(['export', 'file:clip', '-o', 'both.onnx'], { cwd })
    expect(which).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--tower text or --tower image'),
    })
    const wrong = await pipilo(['export', 'mobilenet-v2', '--tower', 'image', '-o', 'one.onnx'], { cwd })
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining('Leave out --tower') })
    expect(existsSync(join(cwd, 'both.onnx'))).toBe(false)
    for (const tower of ['text', 'image'])
      await run('export', 'file:clip', '--tower', tower, '-o', `${tower}.onnx`)
    const [words] = lines<Line>(await run('embed', 'captions.txt', '--by', 'line', '--model', './text.onnx'))
    expect(relativeError([words!.vector], [[...l2Normalize(references.clip.text_embeds[0]!)]])).toBeLessThan(
      1e-4,
    )
    const one = lines<Line>(await run('embed', 'photos/cat.jpg', '--model', './image.onnx'))
    const two = lines<Line>(await run('embed', 'photos/cat.jpg', ...model))
    expect(relativeError([one[0]!.vector], [two[0]!.vector])).toBeLessThan(1e-4)
  })
})
