import { readFileSync } from 'node:fs'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { writeOnnx } from '../graph/files/index.ts'
import { type FileTensor, type Tensor, tensor } from '../tensor/index.ts'
import { cards, open, readSafetensors, writeSafetensors } from './index.ts'
import {
  embedTexts as embed,
  expectRows,
  sentenceTransformers as fixture,
  rejection,
  useFolder,
} from './testing/fixtures.ts'

const { variant } = useFolder()
let references: Record<string, number[][]>
beforeAll(async () => {
  references = JSON.parse(await readFile(join(fixture, 'references.json'), 'utf8'))
})

describe('a folder of sentence-transformers', () => {
  it('is read as it is: pooling, limit, prompts, tokenizer', async () => {
    const model = await open(`file:${fixture}`)
    expect(model.card).toMatchObject({
      modality: 'text',
      source: `file:${fixture}`,
      tap: 'last_hidden_state',
      pool: 'cls',
      normalize: true,
      dimensions: 8,
      text: { maxLength: 12, prompts: { query: 'query: ', document: 'document: ' } },
    })
    expect(model.tokenizer).toBe(join(fixture, 'tokenizer.json'))
    expectRows(await embed(model), references['cls']!)
  })

  const flags = (...on: string[]) => ({
    '1_Pooling/config.json': {
      word_embedding_dimension: 8,
      ...Object.fromEntries(on.map((flag) => [flag, true])),
    },
  })
  it.each<[string, string, Record<string, unknown>]>([
    ['mean', 'mean', { '1_Pooling/config.json': { pooling_mode: 'mean' } }],
    ['max', 'max', { '1_Pooling/config.json': { pooling_mode: ['max'] } }],
    ['lasttoken', 'last', flags('pooling_mode_lasttoken')],
    ['cls', 'cls', flags('pooling_mode_cls_token')],
    ['mean', 'mean', flags('pooling_mode_mean_tokens')],
    ['mean', 'mean', flags()],
  ])('pools as it says: %s', async (reference, pool, changes) => {
    const model = await open(await variant(changes))
    expect(model.card.pool).toBe(pool)
    expectRows(await embed(model), references[reference]!)
  })

  it('says on its card when only transformers wrote it', async () => {
    const model = await open(await variant({ 'modules.json': null, 'tokenizer_config.json': null }))
    expect(model.card).toMatchObject({ pool: 'mean', normalize: false, text: { maxLength: 32 } })
    expect(model.card.notes).toMatch(/nothing of pooling/)
    expectRows(await embed(model, { normalize: true }), references['mean']!)
  })

  it('takes limit, case and default prompt from older configurations', async () => {
    const model = await open(
      await variant({
        'sentence_bert_config.json': { max_seq_length: 7, do_lower_case: true },
        'config_sentence_transformers.json': { prompts: { query: 'q: ' }, default_prompt_name: 'query' },
      }),
    )
    expect(model.card.text).toMatchObject({
      maxLength: 7,
      lowercase: true,
      prompts: { query: 'q: ' },
      defaultPrompt: 'query',
    })
  })

  it('knows prompts without words, and a default among them', async () => {
    const usage = { prompts: { query: '', document: null }, default_prompt_name: 'query' }
    const { card } = await open(await variant({ 'config_sentence_transformers.json': usage }))
    expect(card.text).toMatchObject({ prompts: { query: '', document: '' }, defaultPrompt: 'query' })
  })

  const module = (type: string, path = '') => ({
    idx: 0,
    name: '',
    path,
    type: `sentence_transformers.models.${type}`,
  })
  it.each<[string, Record<string, unknown>, string, RegExp]>([
    [
      'an unknown pooling',
      { '1_Pooling/config.json': { pooling_mode: 'attention' } },
      'FORMAT_UNSUPPORTED',
      /attention/,
    ],
    [
      'a pooling without the prompt',
      { '1_Pooling/config.json': { pooling_mode: 'mean', include_prompt: false } },
      'FORMAT_UNSUPPORTED',
      /include_prompt/,
    ],
    [
      'a pooling after normalisation',
      { 'modules.json': [module('Transformer'), module('Normalize'), module('Pooling', '1_Pooling')] },
      'FORMAT_UNSUPPORTED',
      /Normalize/,
    ],
    ['no pooling configuration', { '1_Pooling/config.json': null }, 'FILE_NOT_FOUND', /1_Pooling/],
    [
      'another architecture',
      { 'config.json': { model_type: 'mamba' } },
      'MODEL_INVALID',
      /'mamba'.*Known: .*distilbert.*ONNX/,
    ],
    ['no weights', { 'model.safetensors': null }, 'MODEL_INVALID', /no weights/],
    [
      'several checkpoints',
      { 'model.safetensors': null, 'a.safetensors': 'x', 'b.safetensors': 'x' },
      'MODEL_INVALID',
      /a.safetensors, b.safetensors/,
    ],
    ['a configuration that is no JSON', { 'config.json': '{' }, 'FORMAT_INVALID', /not valid JSON/],
    [
      'an unknown default prompt',
      { 'config_sentence_transformers.json': { default_prompt_name: 'none' } },
      'MODEL_INVALID',
      /'none'/,
    ],
    [
      'an unknown default among its prompts',
      { 'config_sentence_transformers.json': { prompts: { query: 'q: ' }, default_prompt_name: 'qurey' } },
      'MODEL_INVALID',
      /'qurey', its default. It names query/,
    ],
    [
      'a default prompt that is no name',
      { 'config_sentence_transformers.json': { default_prompt_name: 7 } },
      'MODEL_INVALID',
      /'7', its default/,
    ],
    [
      'a prompt that is no text',
      { 'config_sentence_transformers.json': { prompts: { query: ['q: '] } } },
      'MODEL_INVALID',
      /prompt 'query'/,
    ],
    [
      'prompts that have no names',
      { 'config_sentence_transformers.json': { prompts: ['q: '] } },
      'MODEL_INVALID',
      /no object of names/,
    ],
    [
      'another task',
      { 'sentence_bert_config.json': { transformer_task: 'fill-mask' } },
      'FORMAT_UNSUPPORTED',
      /fill-mask/,
    ],
    [
      'nothing',
      { 'modules.json': null, 'config.json': null },
      'MODEL_INVALID',
      /has no config.json.*architecture/,
    ],
  ])('is refused with %s', async (_, changes, code, message) => {
    const error = await rejection(open(await variant(changes)))
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it('finds parameters behind the prefix bert., and reports those that it does not use', async () => {
    const { tensors } = await readSafetensors(join(fixture, 'model.safetensors'))
    const renamed = new Map<string, Tensor | FileTensor>()
    for (const [name, tensor] of tensors) renamed.set(`bert.${name}`, tensor)
    renamed.set('cls.predictions.bias', tensor('float32', [8], new Float32Array(8)))
    const path = await variant({})
    await writeSafetensors(join(path, 'model.safetensors'), renamed)
    const model = await open(path)
    expect(model.unused).toEqual(['cls.predictions.bias'])
    expectRows(await embed(model), references['cls']!)
  })
})

describe('a folder with an ONNX export, made by others', () => {
  it('of an architecture that is not built here keeps its pooling', async () => {
    const path = await variant({ 'config.json': { model_type: 'mamba' }, 'model.safetensors': null })
    await mkdir(join(path, 'onnx'))
    await writeOnnx((await open(fixture)).graph, join(path, 'onnx', 'model.onnx'))
    for (const name of [path, join(path, 'onnx', 'model.onnx')]) {
      const model = await open(name)
      expect(model.card).toMatchObject({
        pool: 'cls',
        normalize: true,
        dimensions: 8,
        text: { maxLength: 12 },
      })
      expect(model.tokenizer).toBe(join(path, 'tokenizer.json'))
      expectRows(await embed(model), references['cls']!)
    }
  })
})

describe('names', () => {
  it('of cards, in any case and by their aliases', async () => {
    const model = await open('ALL-minilm-l6-v2')
    expect(model.card).toEqual(cards()[0])
    expect((await open('sentence-transformers/all-MiniLM-L6-v2')).fingerprint).toBe(model.fingerprint)
    expect(model.unused).toEqual([])
  })

  it('of folders and files: relative, with file:, as a checkpoint', async () => {
    const relative = `./${fixture.slice(process.cwd().length + 1)}`
    const { fingerprint } = await open(relative)
    for (const name of [
      relative.slice(2),
      `file:${relative}`,
      `file://${fixture}`,
      `${relative}/model.safetensors`,
    ]) {
      expect((await open(name)).fingerprint, name).toBe(fingerprint)
    }
  })

  it.each([
    ['all-MiniLM-L6-v3', 'MODEL_UNKNOWN', /Closest: all-MiniLM-L6-v2/],
    ['mobilnet-v2', 'MODEL_UNKNOWN', /Closest: mobilenet-v2/],
    ['owner/name', 'NETWORK', /ECONNREFUSED 127/],
    ['', 'INPUT_INVALID', /empty name/],
    ['hf:owner/name', 'NETWORK', /ECONNREFUSED 127.*HF_HUB_OFFLINE/],
    ['hf:', 'INPUT_INVALID', /names nothing/],
    ['npm:no-such-package/model', 'MODEL_UNKNOWN', /npm install no-such-package/],
    ['npm:nsfwjs/no-such-folder', 'FILE_NOT_FOUND', /has no no-such-folder/],
    ['npm:../x', 'INPUT_INVALID', /does not name a package/],
    ['file:no-such-folder', 'FILE_NOT_FOUND', /does not exist/],
    ['./package.json', 'FORMAT_UNSUPPORTED', /no model that Pipilo reads/],
    ['./src', 'MODEL_INVALID', /no model that Pipilo reads/],
    ['s3:bucket/model', 'INPUT_INVALID', /Known: npm:, file:, https:, hf:/],
    ['http://example.com/model.onnx', 'INPUT_INVALID', /Use https:/],
  ])('that are wrong: %s', async (name, code, message) => {
    expect(await rejection(open(name))).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it('are looked for nowhere but here when offline', async () => {
    const error = await rejection(open('no-such-model', { offline: true }))
    expect(error).toMatchObject({ code: 'MODEL_UNKNOWN', message: expect.stringMatching(/not in the cache/) })
    for (const name of ['owner/name', 'hf:owner/name']) {
      expect(await rejection(open(name, { offline: true })), name).toMatchObject({ code: 'OFFLINE' })
    }
  })
})

describe('a fingerprint', () => {
  it('is that of the weights and the architecture, wherever they lie', async () => {
    const { fingerprint } = await open(fixture)
    expect((await open(await variant({}))).fingerprint).toBe(fingerprint)
    const config = JSON.parse(await readFile(join(fixture, 'config.json'), 'utf8'))
    const other = await open(await variant({ 'config.json': { ...config, layer_norm_eps: 1e-5 } }))
    expect(other.fingerprint).not.toBe(fingerprint)
    const changed = await variant({})
    const bytes = await readFile(join(changed, 'model.safetensors'))
    bytes[bytes.length - 500]! ^= 1
    await writeFile(join(changed, 'model.safetensors'), bytes)
    expect((await open(changed)).fingerprint).not.toBe(fingerprint)
  })
})

/** Bytes that this process has read by system calls; what is mapped does not count. */
function bytesRead(): number {
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1])
}

it.runIf(process.platform === 'linux')('reads the header of the weights, and not the weights', async () => {
  const weights = (await open('all-MiniLM-L6-v2')).graph.initializers.values()
  const { path } = [...weights].find((value): value is FileTensor => 'file' in value)!.file
  const { size } = await stat(path)
  const counted = bytesRead()
  await readFile(path)
  expect(bytesRead() - counted).toBeGreaterThanOrEqual(size)
  const before = bytesRead()
  await open('all-MiniLM-L6-v2')
  expect(bytesRead() - before).toBeLessThan(size / 20)
})
