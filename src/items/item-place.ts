/** Between an item's key and the name of a route. No key has it, since keys have no control characters. */
const separator = '\u001f'

/** Under which the state keeps the item with this key at a route; the key itself where there are no routes. */
export function itemPlace(key: string, route: string | undefined): string {
  return route === undefined ? key : `${key}${separator}${route}`
}

/** The key that a place was made from. */
export function keyOfPlace(place: string, route: string | undefined): string {
  return route === undefined ? place : place.slice(0, place.length - separator.length - route.length)
}

/** The route of a place; undefined for what is at none. */
export function routeOfPlace(place: string): string | undefined {
  const index = place.indexOf(separator)
  return index < 0 ? undefined : place.slice(index + separator.length)
}

/** Whether a place is at this route; undefined for what is at none. */
export function isPlaceAt(place: string, route: string | undefined): boolean {
  return route === undefined ? !place.includes(separator) : place.endsWith(`${separator}${route}`)
}
