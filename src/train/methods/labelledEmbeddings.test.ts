/** Objectives of labelled pictures. */
import { expect, it } from 'vitest'
import { tap } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { collate } from '../collate.ts'
import { pictureDecoder, pictureTensor } from '../data/pictures.ts'
import { classPairs, freshNetwork, train } from '../index.ts'
import { BatchScope } from '../scope.ts'
import { pictures } from '../testing/data.ts'

const network = freshNetwork('lenet', {
  config: { num_classes: 3, act: 'relu', pool: 'max' },
  size: [16, 16],
  seed: 3,
})

it('class pairs have the contrastive loss of all pairs of a batch', async () => {
  const data = await pictures(6)
  const objective = classPairs({ margin: 0.9, distance: 'euclidean' })
  const calm = { ...network, training: network.inference }
  const scope = new BatchScope(calm, objective, { batch: 6, seed: 0, classes: data.classes })
  scope.builder.output('loss', objective.build(scope).loss)
  const indices = [0, 1, 2, 3, 4, 5]
  const rows = await data.getMany(indices)
  const decoder = pictureDecoder({ size: 16, channels: 1, crop: 'center' })
  const pixels = pictureTensor(
    await Promise.all(rows.map(({ image }, index) => decoder.decode(data, index, image!))),
  )
  const options = { network, seed: 0, step: 0, classes: data.classes, nameOf: String }
  const feeds: Record<string, Tensor> = collate(scope.feeds, { indices, rows, pixels: [pixels] }, options)
  const { loss } = await evaluate(scope.builder.build(), feeds)
  const results = await evaluate(tap(network.inference, network.representation), { pixel_values: pixels })
  const vectors = results[network.representation]!.data as Float32Array
  const width = vectors.length / 6
  let [sum, count] = [0, 0]
  for (const a of indices) {
    for (const b of indices.slice(a + 1)) {
      let squares = 0
      for (let i = 0; i < width; i++) squares += (vectors[a * width + i]! - vectors[b * width + i]!) ** 2
      sum += rows[a]!.label === rows[b]!.label ? squares : Math.max(0.9 - Math.sqrt(squares), 0) ** 2
      count++
    }
  }
  expect(Number(loss!.data[0])).toBeCloseTo(sum / count / 2, 5)
})

it('class pairs are learned', async () => {
  const { history } = await train({
    network,
    objective: classPairs(),
    data: await pictures(24),
    batch: 12,
    epochs: 6,
    optimizer: { kind: 'adam', lr: 3e-3 },
    threads: 1,
  })
  expect(history.at(-1)!.numbers['loss']).toBeLessThan(history[0]!.numbers['loss']! * 0.7)
})
