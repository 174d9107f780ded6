// Reads a model's licence from its README.md.
import { type ModelFiles, readText } from '../files.ts'

/** The licence that the head of a model's `README.md` names, as the hub has it; `unknown` where there is none. */
export async function readLicence(files: ModelFiles): Promise<string> {
  if (!(await files.has('README.md'))) return 'unknown'
  const text = await readText(files, 'README.md').catch(() => '')
  const [, head = ''] = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---/.exec(text) ?? []
  return /^license:\s*['"]?([\w.+-]+)/m.exec(head)?.[1] ?? 'unknown'
}
