import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadTensor } from '../graph/index.ts'
import { open, readSafetensors } from './index.ts'
import { embedTexts, expectRows, sentenceTransformers, useFolder } from './testing/fixtures.ts'

const folder = useFolder()

describe('a model that was saved', () => {
  it('with its weights in a file beside it is read from both', async () => {
    const model = await open(sentenceTransformers)
    const path = join(folder.path, 'beside.onnx')
    await model.save(path, { externalData: true })
    expect((await readdir(folder.path)).filter((name) => name.startsWith('beside'))).toEqual([
      'beside.onnx',
      'beside.onnx.data',
    ])
    expectRows(await embedTexts(await open(path)), await embedTexts(model))
    await model.export(join(folder.path, 'whole.onnx'), { externalData: false })
    expectRows(await embedTexts(await open(join(folder.path, 'whole.onnx'))), await embedTexts(model))
  })

  it('as parameters has the names, shapes and numbers of the checkpoint', async () => {
    const model = await open(sentenceTransformers)
    const path = join(folder.path, 'parameters.safetensors')
    await model.saveParameters(path)
    const saved = await readSafetensors(path)
    const original = await readSafetensors(join(sentenceTransformers, 'model.safetensors'))
    expect(saved.metadata.get('format')).toBe('pt')
    expect([...saved.tensors.keys()].sort()).toEqual([...original.tensors.keys()].sort())
    for (const [name, tensor] of original.tensors) {
      const { dtype, shape, data } = await loadTensor(tensor)
      expect(await loadTensor(saved.tensors.get(name)!), name).toEqual({ dtype, shape, data })
    }
    const copy = await folder.variant({ 'model.safetensors': null })
    await rename(path, join(copy, 'model.safetensors'))
    expectRows(await embedTexts(await open(copy)), await embedTexts(model))
  })
})
