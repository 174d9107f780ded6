// Draws the map of a collection: the atlas, with what the server knows.
import type { PageData } from '../../src/atlas/page/index.ts'
import { drawAtlas } from '../atlas/atlas.ts'
import { mapOf, Problem } from './api.ts'

const told = document.getElementById('told')!
const name = new URLSearchParams(location.search).get('in') ?? ''
document.title = `Map of ${name} · Pipilo`
document.querySelector<HTMLAnchorElement>('#back')!.href = `./?${new URLSearchParams({ in: name })}`

mapOf<PageData>(name).then(
  (data) => {
    told.hidden = true
    drawAtlas(document.getElementById('atlas')!, data)
  },
  (error: unknown) => {
    told.textContent = error instanceof Problem ? error.message : String(error)
  },
)
