// Writes lists over one another until it is ended: `write-child.ts <path> <items> <turns>`.
import { writeList } from '../../src/lists/write-list.ts'

const [path, count, turns] = process.argv.slice(2)

for (let turn = 0; turn < Number(turns); turn++) {
  const { bytes } = await writeList(path!, items(turn), { format: 'plain', comments: ['beginning'] })
  process.stdout.write(`${turn} ${bytes}\n`)
}

function* items(turn: number) {
  for (let index = 0; index < Number(count); index++) yield { key: `turn-${turn}.item-${index}.example` }
  yield { key: 'end' }
}
