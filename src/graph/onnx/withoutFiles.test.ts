import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { encodeOnnx, loadTensor, loadTensorSync, parseOnnx } from '../index.ts'
import { testdata } from '../testing/run.ts'

const inFile = { dtype: 'float32', shape: [1], file: { path: 'weights.bin', offset: 0, length: 4 } } as const

it('Without the files of the room, bytes are read and written, and a weight in a file is a clear error.', async () => {
  const graph = parseOnnx(readFileSync(testdata('control.onnx')))
  expect(parseOnnx(encodeOnnx(graph))).toEqual(graph)
  const refused = { code: 'FILE_UNREADABLE', message: expect.stringContaining('no way to files here') }
  await expect(loadTensor(inFile)).rejects.toMatchObject(refused)
  expect(() => loadTensorSync(inFile)).toThrow(expect.objectContaining(refused))
  const external = { ...graph, initializers: new Map([['w', inFile]]) }
  expect(() => encodeOnnx(external)).toThrow(expect.objectContaining(refused))
  expect(() => parseOnnx(readFileSync(testdata('external.onnx')))).toThrow(/lies in the separate file/)

  await import('../../base/files/index.ts')
  await expect(loadTensor(inFile)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
})
