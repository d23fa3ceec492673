# Made-up films and what 400 users think of them, to try ncf on. Films have one genre or two, users
# like some genres and not others, and nothing else says which films are alike.
#
#     awk -v what=ratings -f models/guide/films.awk >ratings.csv
#     awk -v what=titles -f models/guide/films.awk >titles.tsv
#     ./ncf train --data ratings.csv --titles titles.tsv --save model
#     ./ncf plot --load model --what embeddings --out models/guide/map.svg

# From 0 to 1 (Park and Miller 1988).
function random()
{
    seed = seed * 16807 % 2147483647
    return seed / 2147483647
}

# Roughly normal, of variance 1.
function normal(    i, sum)
{
    for (i = 0; i < 12; i++)
        sum += random()
    return sum - 6
}

function make_film(f)
{
    first[f] = 1 + int(10 * random() ^ 1.5)
    second[f] = random() < 0.3 ? 1 + int(10 * random()) : first[f]
    quality[f] = 0.5 * normal()
    share[f] = 0.08 + 0.5 * random() ^ 4
    title[f] = "The " quality_word[1 + int(10 * random())] " " thing[1 + int(12 * random())] \
               (random() < 0.5 ? "" : place[1 + int(4 * random())]) \
               " (" 1930 + int(70 * random()) ")"
}

# One to five.
function rating(u, f,    x)
{
    x = 3.4 + quality[f] + 0.8 * (taste[u, first[f]] + taste[u, second[f]]) / 2 + 0.5 * normal()
    return x < 1 ? 1 : x > 5 ? 5 : int(x + 0.5)
}

BEGIN {
    films = 600
    users = 400
    seed = 4
    split("Drama Comedy Action Romance Thriller Horror War Western Musical Fantasy", genre)
    split("Silent Last Crimson Little Broken Golden Distant Second Hollow Northern", quality_word)
    split("Harbour Summer Letter Orchard Witness Railway Garden Promise Empire River Café Wolf",
          thing)
    split(" of Lisbon, at Midnight, in the Rain, of the Seven Hills", place, ",")
    for (f = 1; f <= films; f++)
        make_film(f)
    for (u = 1; u <= users; u++)
        for (g = 1; g <= 10; g++)
            taste[u, g] = normal()
    if (what == "ratings")
        print "userId,movieId,rating"
    for (f = 1; f <= films; f++)
        if (what == "titles")
            printf "%d\t%s\t%s%s\n", f, title[f], genre[first[f]],
                   second[f] == first[f] ? "" : "|" genre[second[f]]
        else
            for (u = 1; u <= users; u++)
                if (u == 1 || random() < share[f])
                    printf "%d,%d,%d\n", u, f, rating(u, f)
}
