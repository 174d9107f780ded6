import { readdirSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const samples = new URL('../samples/', import.meta.url)
const pictures = readdirSync(new URL('pictures/', samples))

describe('the samples', () => {
  it('are enough to try things on, and small', () => {
    const sentences = readFileSync(new URL('sentences.txt', samples), 'utf8').trim().split('\n')
    expect(new Set(sentences).size).toBe(sentences.length)
    expect(sentences.length).toBeGreaterThanOrEqual(40)
    expect(sentences).toEqual(expect.arrayContaining(['football', 'soccer', 'footwear']))
    expect(pictures.length).toBeGreaterThanOrEqual(30)
    expect(pictures.filter((name) => name.endsWith('.jpg')).length).toBeGreaterThanOrEqual(8)
    const bytes = pictures.reduce((sum, name) => sum + statSync(new URL(`pictures/${name}`, samples)).size, 0)
    expect(bytes).toBeLessThan(2.5e6)
  })

  it('name the source and licence of every picture', () => {
    const licences = readFileSync(new URL('LICENSES.md', samples), 'utf8')
    const missing = pictures.filter(
      (name) => !licences.includes(name.startsWith('drawing-') ? '`drawing-*`' : `\`${name}\``),
    )
    expect(missing).toEqual([])
  })
})
