import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import fc from 'fast-check'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { open } from '../../models/index.ts'
import { towerFolder } from '../../models/testing/towers.ts'
import { embedder } from '../embedder.ts'
import { openRecipe, resolveRecipe } from '../openRecipe.ts'
import type { AnyInput, EmbedderOptions } from '../types.ts'
import { optionRoles } from './options.ts'
import { optionsKey, recipeKey } from './recipe.ts'
import type { Recipe } from './types.ts'

const testdata = fileURLToPath(new URL('../../models/testdata', import.meta.url))
const text = join(testdata, 'sentence-transformers')
const image = join(testdata, 'vision/resnet50')
const runtime = { workers: 0 }

let folder: string
const pictures: string[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-recipe-'))
  for (const background of ['red', 'green', 'blue']) {
    const path = join(folder, `${background}.png`)
    await sharp({ create: { width: 40, height: 32, channels: 3, background } }).toFile(path)
    pictures.push(path)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const key = async (model: string, options: EmbedderOptions = {}) =>
  recipeKey(await resolveRecipe(model, options))

/** For each option, meanings that differ, and for each meaning words that say it. The first meaning is the default. */
type Meanings = { readonly [Name in keyof EmbedderOptions]?: readonly (readonly EmbedderOptions[Name][])[] }

const runtimeWords: Meanings = {
  batchTokens: [[undefined, 64, 2048]],
  batchPixels: [[undefined, 1024]],
  maxWaitingTokens: [[undefined, 4096]],
  maxWaitingPixels: [[undefined, 1e7]],
  maxPixels: [[undefined, 1e6]],
  runtime: [[undefined, { workers: 0 }, { workers: 1, threads: 1, early: false }]],
  device: [[undefined, 'cpu', 'webgpu']],
  recheck: [[undefined, true]],
  offline: [[undefined, true]],
  onProgress: [[undefined, () => {}]],
  signal: [[undefined, new AbortController().signal]],
  strict: [[undefined, true, false]],
  revision: [[undefined]],
  isolate: [[undefined, false, true]],
  allow: [[undefined, { hosts: [] }]],
}

const textMeanings: Meanings = {
  ...runtimeWords,
  modality: [[undefined, 'text']],
  tap: [
    [undefined, 'penultimate', ['last_hidden_state'], 'hidden_states.2', 'hiddenStates.2', 'encoder.layer.1'],
    ['embeddings', ['hidden_states.0'], 'embeddings.LayerNorm'],
    [
      ['embeddings', 'last_hidden_state'],
      ['hidden_states.0', 'encoder.layer.1'],
    ],
    [['last_hidden_state', 'embeddings']],
  ],
  pool: [[undefined, 'cls'], ['max'], ['mean']],
  normalize: [[undefined, true], [false]],
  dimensions: [[undefined], [4], [5]],
  dtype: [[undefined, 'fp32'], ['fp16'], ['int8']],
  prompt: [[undefined, '', { text: '' }], ['query', { text: 'query: ' }], [{ text: 'query' }]],
  maxLength: [[undefined, 12], [9]],
  chunk: [
    [undefined],
    [{ tokens: 7 }, { tokens: 7, pool: 'mean' }],
    [{ tokens: 7, overlap: 1 }],
    [{ tokens: 7, pool: 'keep' }],
  ],
  inputs: [
    [undefined, {}],
    [1, 1n, '1', '+1', '1.0', '10e-1'].map((value) => ({ token_type_ids: value })),
    ['zeros', 0, -0, 0n, '0'].map((value) => ({ token_type_ids: value })),
  ],
  card: [
    [undefined, {}, { description: 'Mine.', licence: 'MIT' }, { pool: 'cls' }],
    [{ text: { maxLength: 12, prompts: { query: 'query: ' }, lowercase: true } }],
    [{ text: { maxLength: 12, prompts: { query: 'query: ', more: 'more: ' } } }],
  ],
}

const pictureMeanings: Meanings = {
  ...runtimeWords,
  modality: [[undefined, 'image']],
  tap: [
    [undefined, 'penultimate', ['global_pool']],
    ['stages.1', ['layer1']],
    ['stages.2', ['layer2']],
  ],
  pool: [[undefined, 'mean'], ['max']],
  size: [[undefined, [32, 32]], [[64, 64]], [[64, 32]]],
  architecture: [[undefined, 'resnet50']],
  prefix: [[undefined]],
  card: [
    [undefined, { description: 'Mine.' }],
    [
      {
        image: { crop: 'squash', interpolation: 'nearest', mean: [0, 0, 0], std: [1, 1, 1] },
      },
    ],
  ],
}

/** A meaning of each option, by number. */
type Choice = Readonly<Record<string, number>>

/** All choices, with two ways to word each, and the order in which the options are written. */
const worded = (meanings: Meanings) => {
  const names = Object.keys(meanings) as (keyof Meanings)[]
  return fc.record({
    choice: fc.record(Object.fromEntries(names.map((name) => [name, fc.nat(meanings[name]!.length - 1)]))),
    words: fc.array(fc.nat(20), { minLength: names.length, maxLength: names.length }),
    otherWords: fc.array(fc.nat(20), { minLength: names.length, maxLength: names.length }),
    order: fc.shuffledSubarray(names, { minLength: names.length }),
    changed: fc.constantFrom(...names.filter((name) => meanings[name]!.length > 1)),
    by: fc.nat(10),
  })
}

function optionsOf(
  meanings: Meanings,
  choice: Choice,
  words: readonly number[],
  order: readonly (keyof Meanings)[],
) {
  const entries = order.map((name, i) => {
    const said = meanings[name]![choice[name]!]!
    return [name, said[words[i]! % said.length]] as const
  })
  return Object.fromEntries(entries) as EmbedderOptions
}

describe('recipeKey', () => {
  it.each([
    ['a text model', text, textMeanings],
    ['an image model', image, pictureMeanings],
  ] as const)('of %s changes with one option, and stays when the same is said in other words', async (_, model, meanings) => {
    await fc.assert(
      fc.asyncProperty(worded(meanings), async ({ choice, words, otherWords, order, changed, by }) => {
        const own = await key(model, optionsOf(meanings, choice, words, order))
        expect(await key(model, optionsOf(meanings, choice, otherWords, order.toReversed()))).toBe(own)
        const count = meanings[changed]!.length
        const next = (choice[changed]! + 1 + (by % (count - 1))) % count
        const other = optionsOf(meanings, { ...choice, [changed]: next }, words, order)
        expect(await key(model, other), `${changed}: ${inspect(other[changed])}`).not.toBe(own)
      }),
      { numRuns: 40 },
    )
  })

  it('is asked about every option that there is', () => {
    // Calibration has a test of its own: it is only for int8.
    const covered = new Set([...Object.keys(textMeanings), ...Object.keys(pictureMeanings), 'calibration'])
    expect([...covered].sort()).toEqual(Object.keys(optionRoles).sort())
  })

  it('is one for the last layer of MiniLM, by whatever name, and for its length in full', async () => {
    const all = [
      { tap: 'hidden_states.6' },
      { tap: 'encoder.layer.5' },
      { tap: 'last_hidden_state' },
      { dimensions: 384 },
      {},
    ]
    const keys = await Promise.all(all.map((options) => key('all-MiniLM-L6-v2', options)))
    expect(new Set(keys).size).toBe(1)
    const overlaps = [{}, { overlap: 32 }, { tokens: 256 }, { overlap: 31 }].map((chunk) =>
      key('all-MiniLM-L6-v2', { chunk }),
    )
    const [usual, spelled, whole, less] = await Promise.all(overlaps)
    expect([spelled, whole]).toEqual([usual, usual])
    expect(less).not.toBe(usual)
  })

  it('tells calibration pictures apart by their pixels', async () => {
    const of = (calibration: EmbedderOptions['calibration']) =>
      key(image, { dtype: 'int8', ...(calibration && { calibration }) })
    const bytes = await readFile(pictures[0]!)
    const [none, red, same, green, both] = await Promise.all([
      of(undefined),
      of([pictures[0]!]),
      of([bytes]),
      of([pictures[1]!]),
      of([pictures[0]!, pictures[1]!]),
    ])
    expect(same).toBe(red)
    expect(new Set([none, red, green, both]).size).toBe(4)
  })

  it('is another one for other weights and another tokenizer, and the same in another folder', async () => {
    const own = await key(text)
    const copy = join(folder, 'copy')
    await cp(text, copy, { recursive: true })
    expect(await key(copy)).toBe(own)
    const tokenizer = join(copy, 'tokenizer.json')
    await writeFile(tokenizer, (await readFile(tokenizer, 'utf8')).replace('"##a"', '"##ä"').concat(' '))
    expect(await key(copy)).not.toBe(own)
    await cp(join(text, 'tokenizer.json'), tokenizer)
    const weights = join(copy, 'model.safetensors')
    const bytes = await readFile(weights)
    bytes[bytes.length - 2]! ^= 0x40
    await writeFile(weights, bytes)
    expect(await key(copy)).not.toBe(own)
  })

  it('is that of a model that was opened before, also in another precision', async () => {
    const options = { tap: 'embeddings', pool: 'max' } as const
    expect(recipeKey(await resolveRecipe(await open(text), options))).toBe(await key(text, options))
    const small = await open(text, { dtype: 'int8' })
    expect(recipeKey(await resolveRecipe(small))).toBe(await key(text, { dtype: 'int8' }))
    expect(recipeKey(await resolveRecipe(await open(text), { dtype: 'int8' }))).toBe(
      await key(text, { dtype: 'int8' }),
    )
    await expect(resolveRecipe(small, { dtype: 'fp16' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: 'dtype',
    })
    // These were passed over in silence.
    for (const options of [
      { size: [64, 64] },
      { strict: false },
      { architecture: 'resnet18' },
      { card: { pool: 'max' } },
    ])
      await expect(resolveRecipe(await open(image), options as EmbedderOptions)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        input: Object.keys(options)[0],
      })
  })
})

describe('a key of options', () => {
  it('knows arrays, and neither order nor what is undefined', () => {
    const of = (options: EmbedderOptions) => optionsKey(options, 'graph')
    expect(of({ tap: ['a'], pool: 'max' })).toBe(of({ pool: 'max', tap: 'a', dtype: 'fp32' }))
    expect(of({ tap: ['a'] })).not.toBe(of({ tap: ['b'] }))
    expect(of({ size: [1, 2] })).not.toBe(of({ size: [2, 1] }))
    expect(of({ card: { text: { maxLength: 1, lowercase: true } } })).toBe(
      of({ card: { text: { lowercase: true, maxLength: 1 } } }),
    )
    expect(of({ maxLength: 3, signal: new AbortController().signal })).toBe(of({}))
  })
})

describe('openRecipe', () => {
  async function vectors(opening: ReturnType<typeof openRecipe>, inputs: readonly AnyInput[]) {
    const e = await opening
    try {
      return { data: (await e.embed(inputs)).data, recipe: e.recipe }
    } finally {
      await e.dispose()
    }
  }
  const written = (recipe: Recipe) => JSON.parse(JSON.stringify(recipe)) as Recipe
  const texts = ['a towhee sings in the brush', 'stocks', '']

  it.each<[string, () => Promise<[model: string, options: EmbedderOptions, inputs: readonly AnyInput[]]>]>([
    [
      'texts',
      async () => [
        text,
        {
          tap: ['hidden_states.0', 'encoder.layer.0'],
          pool: 'max',
          normalize: false,
          dimensions: 7,
          prompt: 'query',
          maxLength: 8,
        },
        texts,
      ],
    ],
    ['chunks in int8', async () => [text, { dtype: 'int8', chunk: { tokens: 6, overlap: 1 } }, texts]],
    [
      'pictures of another size',
      async () => [image, { size: [64, 48], tap: 'stages.1', pool: 'max' }, pictures],
    ],
    [
      'a card of its own',
      async () => [text, { card: { pool: 'mean', text: { maxLength: 9, lowercase: true } } }, texts],
    ],
    [
      'texts and pictures',
      async () => [
        await towerFolder('clip', folder),
        { dimensions: 4 },
        [{ text: 'a bird' }, { image: pictures[0]! }],
      ],
    ],
  ])('gives what the options gave, of JSON: %s', async (_, make) => {
    const [model, options, inputs] = await make()
    const first = await vectors(
      embedder(model, { ...options, runtime }) as ReturnType<typeof openRecipe>,
      inputs,
    )
    const again = await vectors(openRecipe(written(first.recipe), { runtime }), inputs)
    expect(again.data).toEqual(first.data)
    expect(recipeKey(again.recipe)).toBe(recipeKey(first.recipe))
  })

  it('opens one tower, and says of a model that was cut that its name is not enough', async () => {
    const { towers } = await open(await towerFolder('clip', folder))
    const tower = await resolveRecipe(towers!.image)
    expect(tower.source.tower).toBe('image')
    const e = await embedder(towers!.image, { runtime })
    const expected = (await e.embed(pictures)).data
    await e.dispose()
    expect((await vectors(openRecipe(written(tower), { runtime }), pictures)).data).toEqual(expected)

    const model = (await open(text)).cut('encoder.layer.0')
    const cut = await resolveRecipe(model)
    await expect(openRecipe(cut)).rejects.toThrow(/changed after it was opened/)
    const given = await vectors(openRecipe(cut, { model, runtime }), texts)
    expect(recipeKey(given.recipe)).toBe(recipeKey(cut))
  })

  it('asks for the pictures that calibrated it, and takes no others', async () => {
    const recipe = await resolveRecipe(image, { dtype: 'int8', calibration: [pictures[0]!] })
    await expect(openRecipe(recipe)).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'calibration' })
    await expect(openRecipe(recipe, { calibration: [pictures[1]!] })).rejects.toMatchObject({
      code: 'RECIPE_MISMATCH',
    })
    await (await openRecipe(recipe, { calibration: [pictures[0]!], runtime })).dispose()
  })

  it('prepares inputs as it was written, whatever the model says now, and takes no other weights', async () => {
    const copy = join(folder, 'later')
    await cp(text, copy, { recursive: true })
    const recipe = written(await resolveRecipe(copy, { prompt: 'query' }))
    const before = await vectors(openRecipe(recipe, { runtime }), texts)
    await writeFile(
      join(copy, 'config_sentence_transformers.json'),
      JSON.stringify({ prompts: { query: 'now: ', other: 'x' }, default_prompt_name: 'other' }),
    )
    await writeFile(join(copy, 'sentence_bert_config.json'), '{ "max_seq_length": 6, "do_lower_case": true }')
    expect((await resolveRecipe(copy)).text).toMatchObject({ maxLength: 6, prompt: 'x' })
    const after = await vectors(openRecipe(recipe, { runtime }), texts)
    expect(after.data).toEqual(before.data)
    expect(after.recipe.text).toEqual(recipe.text)

    await expect(openRecipe(recipe, { model: image })).rejects.toMatchObject({ code: 'RECIPE_MISMATCH' })
    const weights = join(copy, 'model.safetensors')
    const bytes = await readFile(weights)
    bytes[bytes.length - 2]! ^= 0x40
    await writeFile(weights, bytes)
    await expect(openRecipe(recipe)).rejects.toMatchObject({
      code: 'RECIPE_MISMATCH',
      message: expect.stringMatching(/other weights/),
    })
  })

  it('refuses what is no recipe, a later form of it, and options that it settles', async () => {
    const recipe = await resolveRecipe(text)
    const refused = { code: 'OPTION_INVALID', input: 'recipe' }
    const picture = await resolveRecipe(image)
    const sized = (size: unknown) => ({ ...picture, image: { ...picture.image, size } })
    for (const wrong of [
      undefined,
      null,
      'a',
      [],
      {},
      { ...recipe, version: 2 },
      { ...recipe, taps: 'a' },
      { ...recipe, taps: [1] },
      { ...recipe, source: null },
      { ...recipe, source: { ...recipe.source, name: 5 } },
      { ...recipe, source: { ...recipe.source, size: [1e6, 1e6] } },
      { ...picture, image: 'a' },
      sized(undefined),
      sized([32]),
      sized([32, 0]),
      sized([32, 32.5]),
      sized(['32', 32]),
      sized([1e6, 1e6]),
    ]) {
      await expect(openRecipe(wrong as Recipe), JSON.stringify(wrong)).rejects.toMatchObject(refused)
      expect(() => recipeKey(wrong as Recipe), JSON.stringify(wrong)).toThrow(
        expect.objectContaining(refused),
      )
    }
    for (const [input, edited] of [
      ['pool', { ...recipe, pool: 'average' }],
      ['normalize', { ...recipe, normalize: 'no' }],
      ['tap', { ...recipe, taps: [] }],
      ['dimensions', { ...recipe, dimensions: 2.5 }],
      ['maxLength', { ...recipe, text: { ...recipe.text, maxLength: '8' } }],
      ['chunk', { ...recipe, text: { ...recipe.text, chunk: { tokens: 8, pool: 'first' } } }],
    ] as [string, unknown][])
      await expect(openRecipe(edited as Recipe, { runtime }), input).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        input,
      })
    const settled = { pool: 'max', runtime } as never
    await expect(openRecipe(recipe, settled)).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'pool' })
  })
})
