import { describe, expect, it } from 'vitest'
import type { Services } from '../services.ts'
import { itemsOf } from './inputs.ts'

describe('pictures of a request', () => {
  const urls = Array.from({ length: 100 }, (_, i) => ({ image: `https://images.example/${i}` }))
  const { signal } = new AbortController()

  it('are fetched some at a time, and together hold no more than a body', async () => {
    let [running, most, asked] = [0, 0, 0]
    const picture = async () => {
      asked++
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running--
      return new Uint8Array(10)
    }
    const services = (body: number) =>
      ({ limits: { inputs: 100, body }, picture }) as unknown as Pick<Services, 'limits' | 'picture'>
    expect(await itemsOf(urls, 'input', services(1000), signal)).toHaveLength(100)
    expect(most).toBeLessThanOrEqual(8)
    asked = 0
    await expect(itemsOf(urls, 'input', services(200), signal)).rejects.toMatchObject({ status: 413 })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(asked).toBeLessThan(40)
  })
})
