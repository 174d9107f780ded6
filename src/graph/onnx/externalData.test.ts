import { expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { Builder, op } from '../index.ts'
import { encodeOnnx, mapExternalData } from './index.ts'

const b = new Builder()
const x = b.input('x', 'float32', ['N', 4])
const outside = b.initializer('outside', tensor('float32', [4, 4], new Float32Array(16)))
const inside = b.initializer('inside', tensor('float32', [4], [1, 2, 3, 4]))
b.output('y', op.add(op.matMul(x, outside), inside))
const place = { location: 'weights.bin', offset: 128, length: 64 }
const encode = (offset: number) =>
  encodeOnnx(b.build(), { external: (name) => (name === 'outside' ? { ...place, offset } : undefined) })

it('Changes what an initializer says of its external data, and nothing else.', () => {
  const seen: Record<string, string>[] = []
  const moved = mapExternalData(encode(128), (data) => {
    seen.push(Object.fromEntries(data))
    return new Map(data).set('offset', '4096')
  })
  expect(seen).toEqual([{ location: 'weights.bin', offset: '128', length: '64' }])
  // Fields stand in another order, which means nothing; read and moved back they are the same.
  expect(mapExternalData(moved, (data) => data)).toEqual(moved)
  expect(mapExternalData(moved, (data) => new Map(data).set('offset', '128'))).toEqual(
    mapExternalData(encode(128), (data) => data),
  )
  expect(moved).toEqual(mapExternalData(encode(4096), (data) => data))
})
