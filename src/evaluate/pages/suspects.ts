// The page of suspicious labels.
import { escapeHtml } from '../../base/index.ts'
import type { Dataset } from '../../embed/index.ts'
import type { SuspiciousRow } from '../tasks/types.ts'
import { page, shown } from './page.ts'
import type { PageOptions } from './types.ts'

/** See `suspectsPage` in ../onDemand.ts. */
export async function suspectsPage(
  suspects: readonly SuspiciousRow[],
  data: Dataset,
  { title = `Suspicious labels of ${data.name}`, most = 1000, signal }: PageOptions,
): Promise<string> {
  const listed = suspects.slice(0, most)
  const given = await data.getMany(listed.map(({ index }) => index))
  const rows: string[] = []
  for (const [i, { row, label, likelier, confidence, margin }] of listed.entries()) {
    const { text, image } = given[i]!
    const input =
      image === undefined ? await shown(text ?? '', true, signal) : await shown(image, false, signal)
    const cells = [
      `<td>${input}<div class="name">${escapeHtml(row)}</div></td>`,
      `<td>${escapeHtml(label)}</td>`,
      `<td><strong>${escapeHtml(likelier)}</strong></td>`,
      `<td class="number">${confidence.toFixed(3)}</td>`,
      `<td class="number">${margin.toFixed(3)}</td>`,
    ]
    rows.push(`<tr>${cells.join('')}</tr>`)
  }
  const rest = suspects.length > listed.length ? `, of which the first ${listed.length} are here` : ''
  const about = `${suspects.length} of ${data.length} labels are contradicted by the other rows${rest}. Confidence: probability of the suggested label; margin: of the given label less that of the suggested.`
  const head =
    '<tr><th>input</th><th>given label</th><th>suggested label</th><th class="number">confidence</th><th class="number">margin</th></tr>'
  return page(title, about, `<table>\n${head}\n${rows.join('\n')}\n</table>`)
}
