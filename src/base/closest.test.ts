import { describe, expect, it } from 'vitest'
import { closest } from './closest.ts'

describe('closest', () => {
  const layers = ['pooler', 'encoder.layer.1', 'encoder.layer.11', 'encoder.layer.1.output', 'embeddings']

  it('finds misspelt names, the best first', () => {
    expect(closest('encodr.layer.1', layers)[0]).toBe('encoder.layer.1')
    expect(closest('embedings', layers)).toEqual(['embeddings'])
    expect(closest('POOLER', layers)).toEqual(['pooler'])
  })

  it('finds names by their beginning, end or middle', () => {
    expect(closest('layer.1', layers)).toEqual([
      'encoder.layer.1',
      'encoder.layer.11',
      'encoder.layer.1.output',
    ])
    expect(closest('encoder', layers, 1)).toEqual(['encoder.layer.1'])
  })

  it('finds nothing where nothing is near', () => {
    expect(closest('logits', layers)).toEqual([])
    expect(closest('', layers)).toEqual([])
  })
})
