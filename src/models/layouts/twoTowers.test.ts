import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { compile } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import { open } from '../open.ts'
import { readSafetensors, writeSafetensors } from '../sources/safetensorsFile.ts'
import { rejection, useFolder } from '../testing/fixtures.ts'
import { startHub } from '../testing/hubServer.ts'
import {
  relativeError,
  type TowerReferences,
  towerFolder,
  towerNames,
  towerPictures,
  towerReferences,
} from '../testing/towers.ts'
import type { Model } from '../types.ts'

const folder = useFolder()
let references: TowerReferences
beforeAll(async () => {
  references = await towerReferences()
})

/** The rows of an output. */
async function run(model: Model, feeds: Record<string, ReturnType<typeof tensor>>, output: string) {
  const session = await compile(model.graph, { workers: 0 })
  const { [output]: found } = await session.run(feeds, [output])
  await session.dispose()
  const data = [...(found!.data as Float32Array)]
  const width = found!.shape.at(-1)!
  return Array.from({ length: found!.shape[0]! }, (_, i) => data.slice(i * width, (i + 1) * width))
}

function textFeeds(model: Model, ids: readonly number[][], end: number) {
  const shape = [ids.length, ids[0]!.length]
  const mask = ids.map((row) => row.map((_, i) => Number(i <= row.indexOf(end))))
  const feeds = { input_ids: tensor('int64', shape, ids.flat()) }
  if (!model.graph.inputs.some(({ name }) => name === 'attention_mask')) return feeds
  return { ...feeds, attention_mask: tensor('int64', shape, mask.flat()) }
}

function pictureFeeds(model: Model) {
  const { side } = references
  const { mean, std } = model.card.image!
  const pictures = towerPictures(side)
  const data = pictures.flatMap(({ data: bytes }) =>
    mean.flatMap((value, c) =>
      Array.from({ length: side * side }, (_, i) => (bytes[i * 3 + c]! / 255 - value) / std[c]!),
    ),
  )
  return { pixel_values: tensor('float32', [pictures.length, 3, side, side], data) }
}

describe('a model of two towers', () => {
  it.each(towerNames)('%s gives the vectors and logits that Python gives', async (name) => {
    const model = await open(await towerFolder(name, folder.path))
    expect(model.modality).toBe('text-image')
    const reference = references[name]
    const { text, image } = model.towers!
    expect(text.fingerprint).toBe(model.fingerprint)
    expect(image.fingerprint).toBe(model.fingerprint)
    const texts = textFeeds(model, reference.input_ids, 1)
    const pictures = pictureFeeds(model)
    expect(relativeError(await run(text, texts, 'text_embeds'), reference.text_embeds)).toBeLessThan(1e-4)
    expect(relativeError(await run(image, pictures, 'image_embeds'), reference.image_embeds)).toBeLessThan(
      1e-4,
    )
    const logits = await run(model, { ...texts, ...pictures }, 'logits_per_image')
    expect(relativeError(logits, reference.logits_per_image)).toBeLessThan(1e-4)
  })

  it('has towers that are models of their own: layers, cut, tap, places', async () => {
    const { towers, ...model } = await open(await towerFolder('clip', folder.path))
    const { text, image, logitScale, logitBias } = towers!
    expect([text.modality, image.modality, text.card.tap, image.card.tap]).toEqual([
      'text',
      'image',
      'text_embeds',
      'image_embeds',
    ])
    expect(logitScale).toBeCloseTo(Math.exp(1.5), 5)
    expect(logitBias).toBeUndefined()
    expect(model.card).toMatchObject({ dimensions: 6, normalize: true, logitScale })
    expect(model.card.text).toEqual({ maxLength: 77 })
    expect(model.card.image).toMatchObject({ size: [32, 32], crop: 'center', interpolation: 'bicubic' })
    expect(image.places!.stages!.map(({ name }) => name)).toEqual([
      'vision_model.encoder.layers.0',
      'vision_model.encoder.layers.1',
    ])
    const names = model.layers().map(({ name }) => name)
    expect(names).toContain('text_model.encoder.layers.1.self_attn.q_proj')
    expect(names).toContain('vision_model.encoder.layers.1.mlp.fc2')
    const early = model.cut('vision_model.encoder.layers.0')
    expect([early.modality, early.card.dimensions]).toEqual(['image', 8])
    expect(early.graph.inputs.map(({ name }) => name)).toEqual(['pixel_values'])
    expect(model.cut('text_model.encoder.layers.0').modality).toBe('text')
    const tapped = model.tap('text_model.encoder.layers.0')
    expect(tapped.modality).toBe('text-image')
    expect(tapped.graph.outputs.length).toBe(4)
    expect(text.embedding({ tap: 'text_model.encoder.layers.0', pool: 'mean' }).outputs[0]!.name).toBe(
      'embedding',
    )
    for (const act of [() => model.embedding(), () => model.cut('penultimate'), () => model.export('x.onnx')])
      await expect(async () => act()).rejects.toMatchObject({ code: 'OPTION_INVALID', hint: /towers\.image/ })
    await expect(async () => model.cut('vision_model.encoder.layer.0')).rejects.toMatchObject({
      code: 'LAYER_UNKNOWN',
    })
  })

  it("knows SigLIP's bias, and that its texts are cleaned and padded to 64 tokens", async () => {
    const { towers, card } = await open(await towerFolder('siglip', folder.path))
    expect(towers!.logitBias).toBe(-1.25)
    expect(card.text).toEqual({ maxLength: 64, padding: { length: 64, token: '</s>' }, clean: 'siglip' })
    expect(card.image).toMatchObject({ crop: 'squash', mean: [0.5, 0.5, 0.5] })
  })

  it('takes other precisions, tower by tower', async () => {
    const path = await towerFolder('clip', folder.path)
    const half = await open(path, { dtype: 'int8' })
    const { text, image } = half.towers!
    expect(half.fingerprint).not.toBe((await open(path)).fingerprint)
    expect(text.fingerprint).toBe(half.fingerprint)
    expect(image.graph.nodes.some(({ op }) => /Quantize|Integer/.test(op))).toBe(true)
    const found = await run(text, textFeeds(text, references.clip.input_ids, 1), 'text_embeds')
    expect(relativeError(found, references.clip.text_embeds)).toBeLessThan(0.2)
  })

  it('is saved as one file of ONNX, and its parameters as PyTorch has them', async () => {
    const path = await towerFolder('siglip', folder.path)
    const model = await open(path)
    const file = join(folder.path, 'siglip.onnx')
    await model.save(file)
    const again = await open(file)
    expect(again.modality).toBe('text-image')
    expect(again.towers).toMatchObject({ logitBias: -1.25, text: { modality: 'text' } })
    const { text_embeds, input_ids } = references.siglip
    const { text, image } = again.towers!
    expect(
      relativeError(await run(text, textFeeds(text, input_ids, 1), 'text_embeds'), text_embeds),
    ).toBeLessThan(1e-4)
    expect(image.graph.inputs.map(({ name }) => name)).toEqual(['pixel_values'])
    expect(text.tokenizer).toBeDefined()
    const parameters = join(folder.path, 'siglip.safetensors')
    await model.saveParameters(parameters)
    const before = (await readSafetensors(join(path, 'model.safetensors'))).tensors
    expect([...(await readSafetensors(parameters)).tensors.keys()].sort()).toEqual([...before.keys()].sort())
    const tower = join(folder.path, 'pictures.onnx')
    await image.export(tower)
    expect((await open(tower)).card).toMatchObject({ modality: 'image', dimensions: 8 })
  })
})

describe('files of two towers', () => {
  it("are found behind sentence-transformers' modules, which say whether vectors are normalised", async () => {
    const path = await towerFolder('clip', folder.path, '0_CLIPModel')
    const modules = [
      { idx: 0, name: '0', path: '0_CLIPModel', type: 'sentence_transformers.models.CLIPModel' },
    ]
    await writeFile(join(path, 'modules.json'), JSON.stringify(modules))
    const model = await open(path)
    expect(model.card).toMatchObject({ modality: 'text-image', normalize: false, text: { maxLength: 77 } })
    expect(model.tokenizer).toBeDefined()
    const more = { idx: 1, name: '1', path: '1_Normalize', type: 'sentence_transformers.models.Normalize' }
    await writeFile(join(path, 'modules.json'), JSON.stringify([...modules, more]))
    expect((await open(path)).card.normalize).toBe(true)
    await writeFile(
      join(path, 'modules.json'),
      JSON.stringify([{ ...modules[0], type: 'sentence_transformers.models.WordEmbeddings' }]),
    )
    expect(await rejection(open(path))).toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })

  it('come from the hub', async () => {
    const path = await towerFolder('open-clip', folder.path)
    const files = Object.fromEntries(
      await Promise.all(
        (await readdir(path)).map(async (name) => [name, await readFile(join(path, name))] as const),
      ),
    )
    const hub = await startHub({ 'laion/tiny': { files, large: ['open_clip_model.safetensors'] } })
    vi.stubEnv('HF_ENDPOINT', hub.endpoint)
    try {
      const model = await open('hf:laion/tiny')
      const { image } = model.towers!
      const found = await run(image, pictureFeeds(model), 'image_embeds')
      expect(relativeError(found, references['open-clip'].image_embeds)).toBeLessThan(1e-4)
      expect(model.tokenizer).toBeDefined()
      expect(model.fingerprint).toBe((await open(path)).fingerprint)
    } finally {
      await hub.close()
    }
  })

  it("may hold transformers' and OpenCLIP's checkpoint: the first is taken unless the second is named", async () => {
    const open2 = await towerFolder('open-clip', join(folder.path, 'both'))
    await towerFolder('clip', join(folder.path, 'both'))
    await cp(join(folder.path, 'both/clip'), open2, { recursive: true })
    expect((await open(open2)).card.description).toMatch(/^clip of/)
    const named = await open(join(open2, 'open_clip_model.safetensors'))
    expect(named.card.description).toMatch(/^open_clip of/)
    expect(named.modality).toBe('text-image')
  })

  it('are also a pickled state dict with a path of its own', async () => {
    const path = await towerFolder('openai', folder.path)
    for (const name of ['vocab.json', 'merges.txt']) await rm(join(path, name))
    const vocabulary = 'bpe_simple_vocab_16e6.txt.gz'
    const bytes = new URL(`../../embed/testdata/openai-bpe/${vocabulary}`, import.meta.url)
    expect((await open(join(path, 'RN.pt'))).tokenizer).toBeUndefined()
    await cp(bytes, join(path, vocabulary))
    const model = await open(join(path, 'RN.pt'))
    expect(model.tokenizer).toBeDefined()
    expect(model.towers!.image.card.image).toMatchObject({ size: [32, 32] })
    expect(model.towers!.image.places!.stages!.map(({ stride }) => stride)).toEqual([4, 8, 16, 32])
  })

  it.each([
    ['clip', 'clip_text_model', 'text'],
    ['clip', 'clip_vision_model', 'image'],
    ['siglip', 'siglip_vision_model', 'image'],
    ['siglip', 'siglip_text_model', 'text'],
  ] as const)('of %s hold one tower alone as %s', async (name, type, modality) => {
    const path = await towerFolder(name, join(folder.path, type))
    const { tensors } = await readSafetensors(join(path, 'model.safetensors'))
    const prefix = modality === 'text' ? 'text_model.' : 'vision_model.'
    // Without a projection, and named as transformers 5 names them: without the tower.
    const kept = [...tensors].filter(([key]) => key.startsWith(prefix))
    await writeSafetensors(
      join(path, 'model.safetensors'),
      new Map(kept.map(([key, tensor]) => [key.slice(prefix.length), tensor])),
    )
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))
    const own = config[modality === 'text' ? 'text_config' : 'vision_config']
    await writeFile(join(path, 'config.json'), JSON.stringify({ ...own, model_type: type }))
    const model = await open(path)
    expect(model.modality).toBe(modality)
    expect(model.towers).toBeUndefined()
    expect(model.card.dimensions).toBe(8)
    expect(model.unused).toEqual([])
    const layers = model.layers().map((layer) => layer.name)
    expect(layers).toEqual(expect.arrayContaining(['embeddings', 'encoder.layers.1.mlp.fc2']))
    expect(layers.filter((layer) => layer.startsWith(prefix))).toEqual([])
    if (name !== 'siglip') return
    const reference = references.siglip
    const found =
      modality === 'text'
        ? await run(model, textFeeds(model, reference.input_ids, 1), 'text_embeds')
        : await run(model, pictureFeeds(model), 'image_embeds')
    const expected = modality === 'text' ? reference.text_embeds : reference.image_embeds
    expect(relativeError(found, expected)).toBeLessThan(1e-4)
  })

  it('of siglip_vision_model without its head give the mean of their tokens, and no tower of two', async () => {
    const path = await towerFolder('siglip', join(folder.path, 'headless'))
    const { tensors } = await readSafetensors(join(path, 'model.safetensors'))
    const kept = [...tensors].filter(([key]) => !/^vision_model\.head\./.test(key))
    await writeSafetensors(join(path, 'model.safetensors'), new Map(kept))
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))
    const vision = { ...config.vision_config, vision_use_head: false }
    const say = (json: object) => writeFile(join(path, 'config.json'), JSON.stringify(json))
    await say({ ...config, vision_config: vision })
    expect(await rejection(open(path))).toMatchObject({
      code: 'MODEL_INVALID',
      message: /vision_use_head: false.* space of texts/,
    })
    await say({ ...vision, model_type: 'siglip_vision_model' })
    expect(await rejection(open(path))).toMatchObject({ code: 'PARAMETER_UNUSED', message: /text_model/ })
    const model = await open(path, { strict: false })
    expect(model.card).toMatchObject({ modality: 'image', dimensions: 8, penultimate: model.card.tap })
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['last_hidden_state'])
    expect(model.cut('penultimate').graph.outputs[0]).toMatchObject({ type: { shape: ['batch', 8] } })
  })

  it('that do not fit are refused: towers of other libraries, tensors that are missing or left over', async () => {
    const path = await towerFolder('open-clip', join(folder.path, 'refused'))
    const config = JSON.parse(await readFile(join(path, 'open_clip_config.json'), 'utf8'))
    const say = (text_cfg: object) =>
      writeFile(
        join(path, 'open_clip_config.json'),
        JSON.stringify({ ...config, model_cfg: { ...config.model_cfg, text_cfg } }),
      )
    await say({ hf_model_name: 'roberta-base' })
    expect(await rejection(open(path))).toMatchObject({
      code: 'OPERATOR_UNSUPPORTED',
      input: 'roberta-base',
      hint: /ONNX/,
    })
    await say({ ...config.model_cfg.text_cfg, layers: 3 })
    expect(await rejection(open(path))).toMatchObject({ code: 'PARAMETER_MISSING' })
    await say({ ...config.model_cfg.text_cfg, layers: 1 })
    expect(await rejection(open(path))).toMatchObject({
      code: 'PARAMETER_UNUSED',
      message: /transformer\.resblocks\.1/,
    })
    expect((await open(path, { strict: false })).modality).toBe('text-image')
  })
})
