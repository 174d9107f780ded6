// The script and the style of the atlas's page.
import { webFiles } from '../../base/files/index.ts'

/** The page's script and style. */
export interface PageFiles {
  readonly script: string
  readonly style: string
}

/** See `pageFiles` in ../onDemand.ts. @throws `FILE_NOT_FOUND` where the package is incomplete */
export async function pageFiles(): Promise<PageFiles> {
  const files = await webFiles('atlas')
  return { script: files.get('atlas.js')!, style: files.get('atlas.css')! }
}
