/** Normalises a place's name to the form of `model.placeNames()`; other names stay as they are. */
export function placeName(name: string): string {
  if (name === 'features') return 'forward_features'
  return /^[a-z]+(?:[A-Z][a-z]+)+(?:\.\d+)?$/.test(name)
    ? name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
    : name
}
