import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, op } from '../graph/index.ts'
import { tensor } from '../tensor/index.ts'
import { ran } from './testing/ran.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-inspect-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const inspect = (...argv: string[]) => ran('inspect', argv)

it('of a foreign graph of pictures says how they are prepared and where that was read, in sizes that can be read', async () => {
  const b = new Builder()
  const x = b.input('pixel_values', 'float32', ['batch', 3, 'height', 'width'])
  const weight = b.constant(tensor('float32', [3, 3, 3, 3], new Array(81).fill(0.1)))
  const strided = { strides: [2, 2], pads: [1, 1, 1, 1] }
  const map = op.conv(op.conv(x, weight, undefined, strided), weight, undefined, strided)
  b.output('last_hidden_state', map)
  const list = { kind: 'sequence', element: { kind: 'tensor', dtype: 'float32' } } as const
  b.output('scores', b.node('SequenceConstruct', [map], {}, { types: [list] })[0]!)
  const chosen = b.node('NonZero', [op.reshape(map, [-1])])[0]!
  b.output('places', chosen)
  const path = join(folder, 'model.onnx')
  await writeOnnx(b.build(), path)
  writeFileSync(
    join(folder, 'preprocessor_config.json'),
    JSON.stringify({
      image_processor_type: 'CLIPImageProcessor',
      do_center_crop: true,
      size: { shortest_edge: 40 },
      crop_size: { height: 32, width: 32 },
      resample: 3,
      image_mean: [0.5, 0.4, 0.3],
      image_std: [0.25, 0.25, 0.25],
    }),
  )
  const text = await inspect(path)
  expect(text).toContain('Preprocessing as preprocessor_config.json says.')
  expect(text).toContain(
    'picture 32 × 32, shorter side to 40, the middle, bicubic; RGB, 0…1, mean [0.5, 0.4, 0.3], deviation [0.25, 0.25, 0.25]',
  )
  expect(text).toContain(
    'output  last_hidden_state: float32 [batch, 3, floor((height+3)/4), floor((width+3)/4)]',
  )
  expect(text).toMatch(/output {2}places: int64 \[1, \?\]/)
  expect(text).not.toContain('scores:')
  const json = JSON.parse(
    await inspect(path, '--json', '--size', '24', '--card', '{"image": {"crop": "squash"}}'),
  )
  expect(json.preparation).toMatchObject({ size: [24, 24], crop: 'squash', mean: [0.5, 0.4, 0.3] })
  expect(json.outputs.map(({ name }: { name: string }) => name)).toEqual(['last_hidden_state', 'places'])
  await expect(inspect(path, '--card', '{"image": ')).rejects.toMatchObject({ code: 'USAGE' })
  await expect(inspect(path, '--card', join(folder, 'missing.json'))).rejects.toMatchObject({ code: 'USAGE' })
  await expect(inspect(path, '--card', '{"imge": {}}')).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

it('of one without an embedding says why', async () => {
  const b = new Builder()
  b.output('out', op.relu(b.input('pixel_values', 'float32', ['batch', 3, 8, 8])))
  const path = join(folder, 'segmentation.onnx')
  await writeOnnx(b.build(), path)
  expect(await inspect(path)).toMatch(
    /no embedding of its own\nIts output out \[batch, 3, 8, 8\] is a map of the picture/,
  )
})
