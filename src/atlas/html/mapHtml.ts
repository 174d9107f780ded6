// A map as one page that needs no network.
import { createHash } from 'node:crypto'
import { pageData } from '../page/index.ts'
import type { Drawn, DrawOptions, EmbeddingMap } from '../types.ts'
import { viewOf } from '../viewOf.ts'
import { pageFiles } from './pageFiles.ts'
import { thumbnailsOf } from './thumbnails.ts'

/** See `mapHtml` in ../onDemand.ts. */
export async function mapHtml(
  map: EmbeddingMap,
  options: DrawOptions = {},
): Promise<Drawn & { readonly html: string }> {
  const { title = 'Map of embeddings', epochs = false, following = false } = options
  const first = viewOf(map, options)
  const { script, style: own } = await pageFiles()
  const style = `html,body,#atlas{height:100%;margin:0}${own}`
  const { thumbnails, without } = await thumbnailsOf(map.items, {
    ...(options.thumbnailBytes !== undefined && { thumbnailBytes: options.thumbnailBytes }),
    ...(options.signal && { signal: options.signal }),
  })
  const notes = [
    ...(map.skipped.length > 0 ? [`Left out: ${map.skipped.length}, which have no vector.`] : []),
    ...(without > 0 ? [`Without a thumbnail: ${without}, for lack of room or of the file.`] : []),
    methodsOf(map),
  ]
  const data = pageData(map, {
    title,
    first,
    epochs,
    notes,
    ...(following && { following }),
    ...(thumbnails && { thumbnails }),
  })
  // In a script no tag may close it, and no text is ever read as HTML.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c')
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<noscript>This map needs JavaScript.</noscript>
<div id="atlas"></div>
<script type="application/json" id="atlas-data">${json}</script>
<script>${script}</script>
</body>
</html>
`
  return { html, withoutThumbnail: without }
}

function methodsOf({ views }: EmbeddingMap): string {
  const names = { umap: 'UMAP', tsne: 't-SNE', pca: 'PCA' }
  const methods = [...new Set(views.map(({ method }) => names[method]))]
  return `Placed by ${methods.join(' and ')}; neighbours are those of the vectors.`
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
