import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseArguments } from './command.ts'
import { demo } from './commands/demo.ts'

it('pipilo demo --open serves the page over the samples until it is stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-demo-'))
  const stop = new AbortController()
  let printed = ''
  let show = (_: string) => {}
  const shown = new Promise<string>((resolve) => {
    show = resolve
  })
  const terminal = {
    async out(text: string) {
      printed += text
      const url = /^The page is at (.*)$/m.exec(printed)?.[1]
      if (url) show(url)
    },
    err() {},
    interactive: false,
    width: 80,
    signal: stop.signal,
  }
  try {
    const ended = demo.run(parseArguments(demo, ['--open', '--db', join(folder, 'db')]), terminal)
    const page = new URL(await Promise.race([shown, ended.then(() => 'ended before')]))
    expect(await (await fetch(page)).text()).toContain('<script src="search.js" defer></script>')
    expect(page.searchParams.getAll('in')).toEqual(['sample-sentences', 'sample-pictures-by-words'])
    const search = async (name: string, query: object) => {
      const response = await fetch(new URL(`/v1/collections/${name}/search`, page), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, k: 3 }),
      })
      return ((await response.json()) as { hits: { id: string }[] }).hits.map(({ id }) => id)
    }
    const sentences = await search('sample-sentences', { text: page.searchParams.get('q')! })
    expect(sentences[0]).toMatch(/^sentences\.txt:\d+$/)
    expect(await search('sample-pictures', { id: 'pictures/cat.jpg' })).toContain('pictures/cat-face.jpg')
    expect(await search('sample-pictures-by-words', { text: 'a dog' })).toHaveLength(3)
    const thumbnail = new URL('/v1/collections/sample-pictures/thumbnail?id=pictures/cat.jpg', page)
    expect((await fetch(thumbnail)).headers.get('content-type')).toBe('image/webp')
    stop.abort()
    await ended
    await expect(fetch(page)).rejects.toThrow()
  } finally {
    stop.abort()
    rmSync(folder, { recursive: true, force: true })
  }
}, 600_000)
