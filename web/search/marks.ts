// Marks the words of a query in a text, as elements around parts of it.
import { element } from '../dom.ts'

/** Letters of words that are marked also where a longer word begins with them. */
const PREFIX = 4

/** The text, with the words of the query marked. Meaning finds more than that: a text without marks is no worse a hit. */
export function marked(text: string, words: string): Node[] {
  const wanted = [...new Set(words.match(/[\p{L}\p{N}]{2,}/gu) ?? [])].sort((a, b) => b.length - a.length)
  if (wanted.length === 0) return [document.createTextNode(text)]
  const parts = wanted.map((word) => (word.length < PREFIX ? `${word}(?![\\p{L}\\p{N}])` : word))
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${parts.join('|')})`, 'giu')
  const nodes: Node[] = []
  let end = 0
  for (const { 0: found, index } of text.matchAll(pattern)) {
    if (index > end) nodes.push(document.createTextNode(text.slice(end, index)))
    nodes.push(element('mark', { text: found }))
    end = index + found.length
  }
  if (end < text.length) nodes.push(document.createTextNode(text.slice(end)))
  return nodes
}
