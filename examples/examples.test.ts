/** Each example on real data, as its functions are called. They need `npm ci` in this folder, and `npm run build` in the one above. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MockLanguageModelV3 } from 'ai/test'
import { cosineSimilarity } from 'pipilo'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chat } from './chatRetrieval.ts'
import { emoji } from './emoji.ts'
import { searchApp } from './honoSearch.ts'
import { copies, groupsOf, thresholdFor } from './nearDuplicates.ts'
import { answers, documents } from './questionAnswering.ts'
import { type Recommendation, recommender, things } from './recommendation.ts'
import { searchEmoji, searchFolder } from './reverseImageSearch.ts'

/** The mean cosine of all pairs. */
function sameness(list: readonly Recommendation[]): number {
  const pairs = list.flatMap((a, i) => list.slice(i + 1).map((b) => cosineSimilarity(a.vector, b.vector)))
  return pairs.reduce((sum, cosine) => sum + cosine, 0) / pairs.length
}

/** An example as it is run from the command line, in a folder of its own. */
function run(example: string, ...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  const script = fileURLToPath(new URL(`${example}.ts`, import.meta.url))
  const { AI_GATEWAY_API_KEY: _, ...env } = process.env
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), script, ...args],
      { cwd: folder, env },
      (error, out, errors) => resolve({ code: error ? Number(error.code) : 0, out, errors }),
    )
  })
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-examples-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('reverse image search', () => {
  it("finds the same emoji in another artist's hand", async () => {
    const hits = await searchEmoji('avocado', 120, join(folder, 'emoji'))
    expect(hits[0]!.id).toBe('avocado')
  })

  it('finds a picture of a folder by a smaller copy of it', async () => {
    for (const name of ['fox', 'guitar', 'sunflower']) {
      const [drawn, small] = await copies(emoji('noto').find((each) => each.name === name)!.svg)
      writeFileSync(join(folder, `${name}.png`), drawn!)
      if (name === 'guitar') writeFileSync(join(folder, 'query.jpg'), small!)
    }
    const hits = await searchFolder(
      join(folder, '*.png'),
      join(folder, 'query.jpg'),
      join(folder, 'pictures'),
    )
    expect(hits.map(({ id }) => id.split('/').at(-1))).toEqual([
      'guitar.png',
      expect.stringMatching(/\.png$/),
      expect.stringMatching(/\.png$/),
    ])
  })
})

describe('on the command line', () => {
  it('reverse image search says in one line which picture is missing', async () => {
    const { code, out, errors } = await run('reverseImageSearch', folder, 'no-such.jpg')
    expect([code, out, errors.trim().split('\n')]).toEqual([1, '', [expect.stringContaining('no-such.jpg')]])
  })

  it('recommendation says that nothing was found', async () => {
    const { code, out, errors } = await run('recommendation', 'nonsenseword')
    expect([code, errors]).toEqual([0, 'There is no emoji called nonsenseword.\n'])
    expect(out).toMatch(/^Nothing was found/)
  })

  it('the chat says that it needs a key', async () => {
    const { code, out, errors } = await run('chatRetrieval')
    expect([code, out, errors.trim().split('\n')]).toEqual([
      1,
      '',
      [expect.stringContaining('AI_GATEWAY_API_KEY')],
    ])
  })

  it('near-duplicates counts one group and one picture', async () => {
    const [drawn] = await copies(emoji('noto').find(({ name }) => name === 'fox')!.svg)
    for (const name of ['one.png', 'two.png']) writeFileSync(join(folder, name), drawn!)
    const { code, out } = await run('nearDuplicates', join(folder, 'one.png'), join(folder, 'two.png'))
    expect([code, out.split('\n')[0]]).toEqual([
      0,
      expect.stringMatching(/^1 group at a cosine of [\d.]+; 1 picture could go\.$/),
    ])
  })
})

describe('question answering', () => {
  it('answers with the passage, its file and lines', async () => {
    const { ask, close } = await answers(documents, join(folder, 'documents'))
    for (const [question, file] of [
      ['Why does my stream stop after the deployment?', '06-streaming-not-working-when-deployed.mdx'],
      ['jest says it cannot find a module', '60-jest-cannot-find-module-ai-rsc.mdx'],
      ['too much memory is used with pictures', '70-high-memory-usage-with-images.mdx'],
    ] as const) {
      const [first] = await ask(question)
      expect(first!.place).toMatch(new RegExp(`${file}#L\\d+`))
      expect(first!.text.length).toBeGreaterThan(50)
    }
    await close()
  })

  it("is a chat's retrieval step", async () => {
    const { ask, close } = await answers(documents, join(folder, 'documents'))
    // Stands in for a language model, which no package carries: it asks for passages, then says what it was given.
    const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } } as never
    const model = new MockLanguageModelV3({
      doGenerate: async ({ prompt }) => {
        const last = prompt.at(-1)!
        return last.role === 'tool'
          ? {
              content: [{ type: 'text', text: JSON.stringify(last.content) }],
              finishReason: { unified: 'stop', raw: 'stop' },
              usage,
              warnings: [],
            }
          : {
              content: [
                {
                  type: 'tool-call',
                  toolCallId: '1',
                  toolName: 'search',
                  input: JSON.stringify({ query: 'high memory with images' }),
                },
              ],
              finishReason: { unified: 'tool-calls', raw: 'tool_calls' },
              usage,
              warnings: [],
            }
      },
    })
    const { text, passages } = await chat(model, 'Why is so much memory used?', ask)
    expect(passages[0]!.place).toContain('70-high-memory-usage-with-images.mdx')
    expect(text).toContain('70-high-memory-usage-with-images.mdx')
    await close()
  })
})

describe('recommendation', () => {
  it('recommends what is near to the likes and new, and less of the same with a smaller lambda', async () => {
    const liked = ['guitar', 'microphone', 'violin']
    const recommend = await recommender(things())
    const alike = recommend(liked, { lambda: 1 })
    const varied = recommend(liked)
    expect(varied[0]!.item).toBe(alike[0]!.item)
    for (const { item } of [...alike, ...varied]) expect(liked).not.toContain(item)
    expect(sameness(varied)).toBeLessThan(sameness(alike) - 0.02)
    expect(recommend(['no such thing'])).toEqual([])
  })
})

describe('near-duplicates', () => {
  it('groups copies of a picture, and no two pictures', async () => {
    const names = ['fox', 'guitar', 'sunflower', 'avocado']
    const drawn = names.map((name) => emoji('noto').find((each) => each.name === name)!)
    const pictures = (await Promise.all(drawn.map(({ svg }) => copies(svg)))).flat()
    const { groups } = await groupsOf(pictures)
    expect(groups.length).toBeGreaterThanOrEqual(names.length)
    for (const group of groups) expect(new Set(group.map((index) => Math.floor(index / 4))).size).toBe(1)

    const pairs = pictures.flatMap((a, i) =>
      pictures
        .slice(i + 1)
        .map((b, j) => ({ a, b, duplicate: Math.floor(i / 4) === Math.floor((i + 1 + j) / 4) })),
    )
    const { threshold, precision, recall } = await thresholdFor(pairs)
    expect([precision, recall].every((share) => share > 0.7)).toBe(true)
    const found = (await groupsOf(pictures, threshold)).groups.flat()
    expect(new Set(found).size).toBe(found.length)
  })
})

describe('search in a hono app', () => {
  it('adds notes and finds them by their meaning, over HTTP', async () => {
    const { app, close } = await searchApp(join(folder, 'notes'))
    const add = (note: unknown) => app.request('/notes', { method: 'POST', body: JSON.stringify(note) })
    for (const [id, text] of Object.entries({
      a: 'apples and pears',
      b: 'interest rates rose',
      c: 'an owl hunts',
    }))
      expect((await add({ id, text })).status).toBe(201)
    const found = await (await app.request('/search?q=fruit')).json()
    expect(found[0]).toMatchObject({ id: 'a', text: 'apples and pears' })
    expect((await app.request('/search')).status).toBe(400)
    expect((await add({ id: 1 })).status).toBe(400)
    expect((await app.request('/notes', { method: 'POST', body: 'apples' })).status).toBe(400)
    await close()
  })

  it('is served by Node as it stands in the example', async () => {
    const { app, close } = await searchApp(join(folder, 'served'))
    const server = createServer(async (request, response) => {
      const answer = await app.request(request.url!)
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await (await fetch(`http://127.0.0.1:${port}/search?q=fruit`)).json()).toEqual([])
    server.close()
    await close()
  })
})
