/** Draws a contact sheet of each augmentation: `npx tsx train/augmentationSheet.ts OUT.png [PICTURE]`. */
import sharp from 'sharp'
import { evaluate } from '../../src/runtime/index.ts'
import { type Tensor, tensor } from '../../src/tensor/index.ts'
import {
  type AugmentationSpec,
  augmentation,
  blockMask,
  byolAugmentation,
  cifarAugmentation,
  patchMask,
  simClrAugmentation,
} from '../../src/train/index.ts'

const SIDE = 96
const COLUMNS = 10
const GAP = 4
const LABEL = 170

const [
  out = 'augmentations.png',
  picture = new URL('../../samples/pictures/cat.jpg', import.meta.url).pathname,
] = process.argv.slice(2)

const raw = { normalize: false } as const
/** Their side before is 128 where they crop, 32 for CIFAR, and otherwise the sheet's own. */
const rows: readonly (readonly [label: string, spec: AugmentationSpec, before?: number])[] = [
  ['randomResizedCrop', [{ kind: 'randomResizedCrop', size: SIDE }], 128],
  ['crop, not antialiased', [{ kind: 'randomResizedCrop', size: SIDE / 2, antialias: false }], 128],
  ['randomCrop, reflect', [{ kind: 'randomCrop', size: SIDE, padding: 24, mode: 'reflect' }], 128],
  ['horizontalFlip', [{ kind: 'horizontalFlip' }]],
  ['brightness', [{ kind: 'colorJitter', brightness: 0.8 }]],
  ['contrast', [{ kind: 'colorJitter', contrast: 0.8 }]],
  ['saturation', [{ kind: 'colorJitter', saturation: [0, 3] }]],
  ['hue', [{ kind: 'colorJitter', hue: 0.5 }]],
  ['grayscale 0.5', [{ kind: 'grayscale', p: 0.5 }]],
  ['gaussianBlur', [{ kind: 'gaussianBlur', kernelSize: 9, sigma: [0.1, 3] }]],
  ['solarize', [{ kind: 'solarize' }]],
  ['erasing', [{ kind: 'erasing', p: 0.8, value: [0.5, 0.2, 0.2] }]],
  ['affine', [{ kind: 'affine', degrees: 30, translate: [0.1, 0.1], scale: [0.8, 1.2], shear: 15 }]],
  ['simclr', simClrAugmentation(SIDE, raw), 128],
  ['byol, two views', byolAugmentation(SIDE, raw), 128],
  ['cifar', cifarAugmentation(raw), 32],
]

/** The same picture several times, uint8 [count, side, side, 3]. */
async function copies(count: number, side: number): Promise<Tensor> {
  const { data } = await sharp(picture)
    .resize(side, side, { fit: 'cover' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  const bytes = new Uint8Array(count * data.length)
  for (let i = 0; i < count; i++) bytes.set(data, i * data.length)
  return tensor('uint8', [count, side, side, 3], bytes)
}

/** PNGs of pixels [batch, 3, height, width] in 0…1, at the sheet's size. */
function tiles({ shape, data }: Tensor): Promise<Buffer>[] {
  const [count, , height, width] = shape as [number, number, number, number]
  const plane = height * width
  return Array.from({ length: count }, (_, n) => {
    const bytes = Buffer.alloc(3 * plane)
    for (let i = 0; i < plane; i++) {
      for (let c = 0; c < 3; c++) bytes[3 * i + c] = Math.round(255 * Number(data[(n * 3 + c) * plane + i]))
    }
    return sharp(bytes, { raw: { width, height, channels: 3 } })
      .resize(SIDE, SIDE)
      .png()
      .toBuffer()
  })
}

async function augmented(spec: AugmentationSpec, size: number): Promise<Buffer[]> {
  const made = augmentation(spec, { size, channels: 3, pixels: 'uint8' })
  const pixels = await copies(COLUMNS / made.outputs.length, size)
  const feeds = made.draw(1, 0, pixels.shape[0]!)
  const result = await evaluate(made.graph, { pixels, ...feeds })
  return Promise.all(made.outputs.flatMap((output) => tiles(result[output]!)))
}

/** Patches of the picture that a mask leaves. */
async function masked(mask: Tensor, grid: number): Promise<Buffer[]> {
  const pixels = await copies(COLUMNS, SIDE)
  const patch = SIDE / grid
  const data = new Float32Array(COLUMNS * 3 * SIDE * SIDE)
  for (const i of data.keys()) {
    const [x, y] = [i % SIDE, Math.floor(i / SIDE) % SIDE]
    const [c, n] = [Math.floor(i / SIDE ** 2) % 3, Math.floor(i / (3 * SIDE ** 2))]
    const hidden = mask.data[n * grid * grid + Math.floor(y / patch) * grid + Math.floor(x / patch)]
    data[i] = hidden ? 0.8 : Number(pixels.data[((n * SIDE + y) * SIDE + x) * 3 + c]) / 255
  }
  return Promise.all(tiles(tensor('float32', [COLUMNS, 3, SIDE, SIDE], data)))
}

function caption(text: string): Buffer {
  return Buffer.from(
    `<svg width="${LABEL}" height="${SIDE}"><text x="8" y="${SIDE / 2}" font-size="15" font-family="sans-serif">${text}</text></svg>`,
  )
}

const lines: [string, Buffer[]][] = []
for (const [label, spec, before = SIDE] of rows) lines.push([label, await augmented(spec, before)])
const counters = { seed: 1, step: 0, count: COLUMNS }
lines.push(['patchMask', await masked(patchMask({ patches: 144, ...counters }).mask, 12)])
lines.push(['blockMask', await masked(blockMask({ grid: [12, 12], ...counters }), 12)])

await sharp({
  create: {
    width: LABEL + COLUMNS * (SIDE + GAP),
    height: lines.length * (SIDE + GAP),
    channels: 3,
    background: 'white',
  },
})
  .composite(
    lines.flatMap(([label, row], y) => [
      { input: caption(label), left: 0, top: y * (SIDE + GAP) },
      ...row.map((input, x) => ({ input, left: LABEL + x * (SIDE + GAP), top: y * (SIDE + GAP) })),
    ]),
  )
  .png()
  .toFile(out)
console.log(`${out}: ${lines.length} rows`)
