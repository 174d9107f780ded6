// The processors of transformers: pictures as each prepares them, or its name in an error.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, op } from '../graph/index.ts'
import { open } from '../models/index.ts'
import { embedder } from './embedder.ts'

const SIDE = 6
const folder = await mkdtemp(join(tmpdir(), 'pipilo-processors-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

let made = 0
/** A graph that gives its pixels, and the files beside it. */
async function model(beside: Readonly<Record<string, object>>): Promise<string> {
  const path = join(folder, `${made++}`)
  await mkdir(path)
  const b = new Builder()
  const pixels = b.input('pixel_values', 'float32', ['n', 3, SIDE, SIDE])
  b.output('features', op.reshape(pixels, [0, 3 * SIDE * SIDE]))
  await writeOnnx(b.build(), join(path, 'model.onnx'))
  for (const [name, content] of Object.entries(beside))
    await writeFile(join(path, name), JSON.stringify(content))
  return join(path, 'model.onnx')
}

/** As testdata/processors.py draws it. */
function picture(height: number, width: number) {
  const data = new Uint8Array(height * width * 3)
  for (let i = 0; i < data.length; i++) {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
    data[i] = Math.abs(((x * 5 + y * 3 * (c + 1)) % 256) - 128)
  }
  return { width, height, channels: 3 as const, data }
}

async function pixels(beside: Readonly<Record<string, object>>): Promise<Float32Array[]> {
  const e = await embedder(await model(beside), { normalize: false })
  const { vectors } = await e.embed([picture(14, 21), picture(25, 17)])
  await e.dispose()
  return vectors as Float32Array[]
}

const path = fileURLToPath(new URL('./testdata/processors.json', import.meta.url))
const rows: { config: Record<string, unknown>; pixels: number[][] }[] = JSON.parse(
  await readFile(path, 'utf8'),
)

/** Levels of grey that a pixel may be off: sharp resizes in integers, and so does torchvision, in other ones. */
const LEVELS = 3.5

function expectPixels(found: readonly Float32Array[], { config, pixels }: (typeof rows)[number]): void {
  const { image_std: std = [0.224, 0.224, 0.224], do_rescale: rescales } = config
  const isUnscaled = rescales === false
  const tolerance = isUnscaled ? LEVELS : LEVELS / 255 / (Math.min(...(std as number[])) || 1)
  for (const [i, row] of found.entries()) {
    const worst = Math.max(...row.map((value, at) => Math.abs(value - pixels[i]![at]!)))
    expect(worst, JSON.stringify(config)).toBeLessThan(tolerance)
  }
}

describe('a processor of transformers', () => {
  it.each(
    rows.map((row) => [JSON.stringify(row.config), row] as const),
  )('is followed: %s', async (_, row) => {
    expectPixels(await pixels({ 'preprocessor_config.json': row.config }), row)
  })

  const [vit] = rows.filter(({ config }) => config['image_processor_type'] === 'SiglipImageProcessor')
  const { image_processor_type: _, ...silent } = vit!.config

  it('is that of the network where its file does not say it', async () => {
    const config = { 'config.json': { model_type: 'siglip' } }
    expectPixels(await pixels({ ...config, 'preprocessor_config.json': silent }), vit!)
  })

  it('is the one inside processor_config.json, before a file of its own', async () => {
    const nested = { 'processor_config.json': { image_processor: vit!.config } }
    const other = { ...vit!.config, image_mean: [0, 0, 0] }
    expectPixels(await pixels({ ...nested, 'preprocessor_config.json': other }), vit!)
  })

  const six = { size: { height: SIDE, width: SIDE } }
  const half = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] }
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['Donut', { ...six, do_thumbnail: true, do_align_long_axis: true }, /DonutImageProcessor/],
    ['Foo', { ...six, ...half }, /FooImageProcessor/],
    ['Vivit', { ...six, ...half, offset: true }, /VivitImageProcessor/],
    ['Swin2SR', { do_pad: true, pad_size: 8 }, /Swin2SRImageProcessor/],
    ['Perceiver', six, /PerceiverImageProcessor/],
    ['Pix2Struct', six, /Pix2StructImageProcessor/],
    ['Glpn', six, /GlpnImageProcessor/],
    ['ViT', { size: { longest_edge: SIDE } }, /resizes pictures to \{"longest_edge":6\}/],
    ['ViT', { size: { max_height: SIDE, max_width: SIDE } }, /max_height/],
    ['ViT', { ...six, do_resize: false }, /do_resize: false/],
    ['ViT', { ...six, do_pad: true, pad_size: { height: 9, width: 9 } }, /sets pad_size/],
    ['ViT', { ...six, ...half, image_mean: [0.5, 0.5, 0.5, 0.5] }, /image_mean and image_std of three/],
    ['ViT', { ...six, ...half, image_std: [0.5, 0.5] }, /image_mean and image_std of three/],
    ['ViT', { ...six, do_flip_channel_order: true }, /blue for red/],
    ['Yolos', {}, /"shortest_edge":800,"longest_edge":1333/],
    ['Bit', { size: { shortest_edge: SIDE }, do_center_crop: false }, /shorter side alone/],
    ['DPT', { ...six, keep_aspect_ratio: true }, /keep_aspect_ratio/],
    ['DPT', { ...six, ensure_multiple_of: 4 }, /multiples of 4/],
    ['', { ...six, ...half, do_thumbnail: true }, /sets do_thumbnail to true/],
    ['', { ...six, ...half, offset: true }, /sets offset to true/],
  ])('is refused by its name, or by that of its setting: %s %o', async (kind, settings, message) => {
    const type = kind === '' ? {} : { image_processor_type: `${kind}ImageProcessor` }
    const path = await model({ 'preprocessor_config.json': { ...type, ...settings } })
    const error = await open(path).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(PipiloError)
    expect(error).toMatchObject({ code: 'FORMAT_UNSUPPORTED', message: expect.stringMatching(message) })
    const image = { size: [6, 6], crop: 'squash', interpolation: 'bilinear', mean: [0, 0, 0], std: [1, 1, 1] }
    expect((await open(path, { card: { image: image as never } })).card.image).toMatchObject(image)
  })

  it('of videos is refused, and one of another network by its type', async () => {
    const video = { 'video_preprocessor_config.json': { video_processor_type: 'VJEPA2VideoProcessor' } }
    await expect(open(await model(video))).rejects.toThrow(/VJEPA2VideoProcessor/)
    const donut = { 'config.json': { model_type: 'donut-swin' }, 'preprocessor_config.json': six }
    await expect(open(await model(donut))).rejects.toThrow(/DonutImageProcessor/)
  })
})
