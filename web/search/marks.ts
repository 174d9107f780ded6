// Marks the words of a query in a text, as elements around parts of it.
import { element } from '../dom.ts'

/** The text, with the words of the query marked where they begin a word. Meaning finds more than that: a text without marks is no worse a hit. */
export function marked(text: string, words: string): Node[] {
  const wanted = [...new Set(words.match(/[\p{L}\p{N}]{2,}/gu) ?? [])]
  if (wanted.length === 0) return [document.createTextNode(text)]
  const longestFirst = wanted.sort((a, b) => b.length - a.length).join('|')
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${longestFirst})`, 'giu')
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
