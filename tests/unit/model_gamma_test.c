/* gamma: differences of large numbers, against 60 digits, on both sides of where Stirling's series
 * begins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/gamma.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct {
    double z, d, rise;
} rise_rows[] = {
    {0.001, 0.5, -6.336774987884822},           {1.0, 1.0, 0.0},
    {2.0, 1e-09, 4.227843354209342e-10},        {15.999, 0.25, 0.6872420256623963},
    {16.0, 0.25, 0.6872580210610484},           {16.0, 1000.0, 5987.964621044931},
    {1000.0, 0.001, 0.0069072556958987286},     {1000000.0, 0.5, 6.907755153982137},
    {1000000.0, 1000000.0, 14201804.572510533}, {4000000000.0, 1.5, 33.164340297193206},
};

static void test_the_rise_of_ln_gamma(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rise_rows); i++) {
        const double rise = gamma_ln_rise(rise_rows[i].z, rise_rows[i].d);
        if (!(fabs(rise - rise_rows[i].rise) <= 3e-14 * fmax(1, fabs(rise_rows[i].rise)))) {
            fail_msg("z %g d %g: %.17g not %.17g", rise_rows[i].z, rise_rows[i].d, rise,
                     rise_rows[i].rise);
        }
    }
    assert_true(gamma_ln_rise(5, 0) == 0);
    assert_true(gamma_ln_rise(5e5, 0) == 0);
}

static const struct {
    double z, s, value;
} scaled_rows[] = {
    {0.525, 43.281, -1.453272695183452},    {1.0, 1.0, 0.0},
    {15.999, 6.0, -0.7698293454195027},     {16.0, 6.0, -0.7688801238079884},
    {100000.0, 36525.0, 712.4853117668717}, {4000000000.0, 36525.0, 42415231835.65376},
};

static void test_ln_gamma_less_its_scale(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scaled_rows); i++) {
        const double value = gamma_ln_scaled(scaled_rows[i].z, scaled_rows[i].s);
        if (!(fabs(value - scaled_rows[i].value) <= 1e-13 * fmax(1, fabs(scaled_rows[i].value)))) {
            fail_msg("z %g s %g: %.17g not %.17g", scaled_rows[i].z, scaled_rows[i].s, value,
                     scaled_rows[i].value);
        }
    }
    assert_true(fabs(gamma_ln(0.5) - 0.5 * log(M_PI)) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rise_of_ln_gamma),
        cmocka_unit_test(test_ln_gamma_less_its_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
