/**
 * 50 photographs decoded, resized and cropped by Pipilo, and by timm's transforms with Pillow: how far the pixels are apart, and
 * the vectors that the same networks, with the weights that they were published with, make of them. The worst is the one with a
 * colour profile (rocket.jpg), which Pillow leaves aside and Pipilo follows.
 *
 *     python parity/pillow.py /tmp/pillow        # in bench/
 *     npm run parity:pillow -- /tmp/pillow
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cosineSimilarity, embedder, open } from 'pipilo'
import { decodeImage } from 'pipilo/embed'

type Model = Awaited<ReturnType<typeof open>>
type Picture = NonNullable<Model['card']['image']>
type Preparation = Pick<Picture, 'crop' | 'cropRatio' | 'interpolation'>

const folder = process.argv[2] ?? '/tmp/pillow'
const { names, preparations } = JSON.parse(readFileSync(join(folder, 'preparations.json'), 'utf8')) as {
  names: string[]
  preparations: Record<string, Preparation>
}
const photographs = names.map((name) => join(folder, 'photographs', name))
const [height, width] = [224, 224]

/** Pillow's pixels of each photograph. */
const expectedOf = (preparation: string) =>
  names.map((name) => readFileSync(join(folder, 'pixels', preparation, `${name}.bin`)))

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

/** The worst of the photographs by a measure and the one after it, with their names. */
function worst(values: readonly number[], digits: number, most: boolean): object {
  const order = names.map((name, i) => ({ name, value: values[i]! })).sort((a, b) => a.value - b.value)
  const [first, second] = most ? order.reverse() : order
  const shown = ({ name, value }: { name: string; value: number }) => `${value.toFixed(digits)} ${name}`
  return { worst: shown(first!), next: shown(second!) }
}

console.log(`${names.length} photographs, ${height}×${width}; grey levels of 255`)
const pixels: Record<string, object> = {}
for (const [name, preparation] of Object.entries(preparations)) {
  const image: Picture = { size: [height, width], mean: [0, 0, 0], std: [1, 1, 1], ...preparation }
  const expected = expectedOf(name)
  const means: number[] = []
  let [beyond2, most] = [0, 0]
  for (const [i, photograph] of photographs.entries()) {
    const { data } = await decodeImage(photograph, image)
    let sum = 0
    for (const [at, value] of data.entries()) {
      const distance = Math.abs(value - expected[i]![at]!)
      sum += distance
      if (distance > 2) beyond2++
      most = Math.max(most, distance)
    }
    means.push(sum / data.length)
  }
  pixels[name] = {
    'mean difference': mean(means).toFixed(3),
    'more than 2': `${((100 * beyond2) / (names.length * width * height * 3)).toFixed(2)} %`,
    'largest of all': most,
    ...worst(means, 2, true),
  }
}
console.table(pixels)

const vectors: Record<string, object> = {}
let missed = 0
for (const [title, source, options] of [
  ['MobileNetV2 (nsfwjs)', 'mobilenet-v2', {}],
  ['MobileNetV2, penultimate', 'mobilenet-v2', { tap: 'penultimate' }],
  ['EfficientNet-lite0', `file:${join(folder, 'efficientnet-lite0')}`, {}],
] as const) {
  const { card } = await open(source)
  for (const [name, preparation] of Object.entries(preparations)) {
    const { cropRatio: _, ...plain } = card.image!
    // Pixels that are prepared already are of the network's size: squashing leaves them as they are.
    const prepared = await embedder(source, { ...options, card: { image: { ...plain, crop: 'squash' } } })
    const whole = await embedder(source, { ...options, card: { image: { ...plain, ...preparation } } })
    const raw = expectedOf(name).map((data) => ({ width, height, channels: 3 as const, data }))
    const [ours, theirs] = [await whole.embed(photographs), await prepared.embed(raw)]
    const cosines = ours.vectors.map((vector, i) => cosineSimilarity(vector, theirs.vectors[i]!))
    vectors[`${title}, ${name}`] = { mean: mean(cosines).toFixed(5), ...worst(cosines, 4, false) }
    if (mean(cosines) < 0.99) missed++
    await Promise.all([prepared.dispose(), whole.dispose()])
  }
}
console.log('cosine between vectors of pictures that were prepared here and by Pillow')
console.table(vectors)
console.log(missed === 0 ? 'mean at least 0.99 everywhere' : `${missed} means below 0.99`)
process.exitCode = missed === 0 ? 0 : 1
