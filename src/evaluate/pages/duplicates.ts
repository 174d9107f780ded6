// The page of duplicates.
import { escapeHtml } from '../../base/index.ts'
import type { AnyInput, Embedder } from '../../embed/index.ts'
import type { Duplicates } from '../duplicates/types.ts'
import { page, shown } from './page.ts'
import type { PageOptions } from './types.ts'

/** See `duplicatesPage` in ../onDemand.ts. */
export async function duplicatesPage(
  { groups, threshold, redundant }: Duplicates,
  {
    inputs,
    names,
    modality,
  }: {
    readonly inputs: readonly AnyInput[]
    readonly names?: readonly string[]
    readonly modality: Embedder['modality']
  },
  { title = 'Near-identical inputs', most = 1000, signal }: PageOptions,
): Promise<string> {
  const isText = modality === 'text'
  const parts: string[] = []
  for (const { representative, members } of groups.slice(0, most)) {
    const items: string[] = []
    for (const { index, similarity, exact } of members) {
      const of =
        index === representative ? 'representative' : exact ? 'the same bytes' : similarity.toFixed(4)
      const kind = `item${isText ? ' words' : ''}${index === representative ? ' first' : ''}`
      const name = `<div class="name">${escapeHtml(names?.[index] ?? `${index}`)}<br>${of}</div>`
      items.push(`<div class="${kind}">${await shown(inputs[index]!, isText, signal)}${name}</div>`)
    }
    parts.push(`<div class="group">${items.join('')}</div>`)
  }
  const rest = groups.length > most ? `, of which the first ${most} are here` : ''
  const about = `${inputs.length} inputs, ${groups.length} groups${rest}, ${redundant} inputs could be dropped. Each is at least ${threshold.toFixed(4)} like its group's representative (cosine).`
  return page(title, about, parts.join('\n'))
}
