import { expect, it } from 'vitest'
import { readDataset } from '../../embed/index.ts'
import { loadTensor } from '../../graph/index.ts'
import { trainingRecipe } from '../index.ts'
import { pictures } from '../testing/data.ts'

const prepared = (name: string, choices: object) => {
  const { prepare, defaults } = trainingRecipe(name)
  return prepare({ ...defaults, seed: 0, ...choices } as Parameters<typeof prepare>[0])
}

it('refuses a text model for pictures, whose paths it would read', async () => {
  const data = await pictures(6)
  await expect(prepared('classifier', { data, model: 'all-MiniLM-L6-v2' })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: expect.stringMatching(/has pictures; all-MiniLM-L6-v2 takes none/),
  })
})

it('refuses a model of pictures for texts', async () => {
  const data = await readDataset([
    { text: 'a', label: 0 },
    { text: 'b', label: 1 },
  ])
  await expect(prepared('classifier', { data, model: 'mobilenet-v2' })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: expect.stringMatching(/has texts; mobilenet-v2 takes none/),
  })
})

it.each(['clip', 'mae', 'data2vec'])('refuses a model for %s, which builds its own', async (name) => {
  await expect(
    Promise.resolve().then(async () => prepared(name, { data: await pictures(4), model: 'resnet18' })),
  ).rejects.toMatchObject({ code: 'OPTION_INVALID', message: expect.stringMatching(/of its own/) })
})

it('draws LoRA’s matrices by the seed', async () => {
  const data = await readDataset([{ sentence1: 'a', sentence2: 'b', score: 1 }])
  const matrix = async (seed: number) => {
    const { network } = await prepared('sentences', { data, lora: 2, seed, model: 'all-MiniLM-L6-v2' })
    const { initializers } = network.training
    const name = [...initializers.keys()].find((key) => key.includes('lora_A'))!
    return [...((await loadTensor(initializers.get(name)!)).data as Float32Array).slice(0, 8)]
  }
  expect(await matrix(0)).toEqual(await matrix(0))
  expect(await matrix(7)).not.toEqual(await matrix(0))
})
