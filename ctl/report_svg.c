/* report_svg: three kinds of pictures. Text as text, so that it can be searched and read aloud. */
#include "ctl/report_page.h"

enum { BAR_HEIGHT = 26, BAR_LEFT = 150, BAR_WIDTH = 420, PAGE_WIDTH = 820 };

static const char *const colours[4] = {"#14532d", "#3f8f5f", "#9cc5a8", "#d9e8dd"};

void report_svg_bars(FILE *out, const struct report_bar *bars, int count)
{
    double most = 0;
    for (int i = 0; i < count; i++)
        most = bars[i].value > most ? bars[i].value : most;
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", PAGE_WIDTH, count * BAR_HEIGHT + 4);
    for (int i = 0; i < count; i++) {
        double width = most > 0 ? bars[i].value / most * BAR_WIDTH : 0;
        int y = i * BAR_HEIGHT;
        fprintf(out,
                "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>"
                "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
                "<text x=\"%.1f\" y=\"%d\" class=\"note\">%s</text>\n",
                BAR_LEFT - 8, y + 17, bars[i].label, BAR_LEFT, y + 4, width, BAR_HEIGHT - 8,
                colours[1], BAR_LEFT + width + 6, y + 17, bars[i].note);
    }
    fputs("</svg>\n", out);
}

static void curve(FILE *out, const double shares[SPREAD_LORENZ], const char *colour, int left,
                  int size)
{
    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (int i = 0; i < SPREAD_LORENZ; i++)
        fprintf(out, "%.1f,%.1f ", left + (double)size * i / (SPREAD_LORENZ - 1),
                size * (1 - shares[i]) + 10);
    fputs("\"/>\n", out);
}

void report_svg_lorenz(FILE *out, const double value[SPREAD_LORENZ],
                       const double revenue[SPREAD_LORENZ])
{
    enum { SIZE = 280, LEFT = 60 };
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", PAGE_WIDTH, SIZE + 50);
    fprintf(out,
            "<rect x=\"%d\" y=\"10\" width=\"%d\" height=\"%d\" fill=\"#fff\" stroke=\"#ccc\"/>"
            "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"10\" stroke=\"#bbb\" "
            "stroke-dasharray=\"4 4\"/>\n",
            LEFT, SIZE, SIZE, LEFT, SIZE + 10, LEFT + SIZE);
    fprintf(out, "<line x1=\"%g\" y1=\"10\" x2=\"%g\" y2=\"%d\" stroke=\"#eee\"/>\n",
            LEFT + 0.8 * SIZE, LEFT + 0.8 * SIZE, SIZE + 10);
    curve(out, value, colours[0], LEFT, SIZE);
    curve(out, revenue, "#b45309", LEFT, SIZE);
    fprintf(out,
            "<text x=\"%d\" y=\"%d\">0 %%</text><text x=\"%d\" y=\"%d\" "
            "text-anchor=\"end\">100 %% of the buyers, the poorest first</text>"
            "<text x=\"%d\" y=\"20\" text-anchor=\"end\">100 %%</text>\n",
            LEFT, SIZE + 28, LEFT + SIZE, SIZE + 28, LEFT - 6);
    fprintf(out,
            "<rect x=\"%d\" y=\"40\" width=\"14\" height=\"4\" fill=\"%s\"/><text x=\"%d\" "
            "y=\"46\">expected 12-month value</text>"
            "<rect x=\"%d\" y=\"64\" width=\"14\" height=\"4\" fill=\"#b45309\"/><text x=\"%d\" "
            "y=\"70\">revenue so far</text>"
            "<text x=\"%d\" y=\"94\" class=\"note\">dashed: everybody the same</text>\n</svg>\n",
            LEFT + SIZE + 30, colours[0], LEFT + SIZE + 52, LEFT + SIZE + 30, LEFT + SIZE + 52,
            LEFT + SIZE + 30);
}

void report_svg_columns(FILE *out, const struct report_column *columns, int count)
{
    static const char *const names[4] = {"A", "B", "C", "D"};
    enum { HEIGHT = 30 };
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", PAGE_WIDTH, count * HEIGHT + 30);
    for (int i = 0; i < count; i++) {
        double at = BAR_LEFT;
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", BAR_LEFT - 8,
                i * HEIGHT + 20, columns[i].label);
        for (int t = 0; t < 4; t++) {
            double width = columns[i].share[t] * BAR_WIDTH;
            fprintf(out, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>", at,
                    i * HEIGHT + 4, width, HEIGHT - 8, colours[t]);
            if (columns[i].share[t] >= 0.08)
                fprintf(out,
                        "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" style=\"fill:%s\">%.0f "
                        "%%</text>",
                        at + width / 2, i * HEIGHT + 20, t < 2 ? "#fff" : "#222",
                        100 * columns[i].share[t]);
            at += width;
        }
        fputc('\n', out);
    }
    for (int t = 0; t < 4; t++)
        fprintf(out,
                "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" "
                "y=\"%d\">%s</text>\n",
                BAR_LEFT + 60 * t, count * HEIGHT + 10, colours[t], BAR_LEFT + 60 * t + 18,
                count * HEIGHT + 21, names[t]);
    fputs("</svg>\n", out);
}
