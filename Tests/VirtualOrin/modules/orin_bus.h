/* SPDX-License-Identifier: GPL-2.0-only */
/* What the i2c stub gains to stand for a board's bus: a place in the device tree, and transfers that take time. */
#include <linux/i2c.h>
#include <linux/of_platform.h>
#include "spend.h"

static unsigned int delay_us = 554;
module_param(delay_us, uint, 0644);
MODULE_PARM_DESC(delay_us, "Time a byte or word transfer takes");

/* The i2c core holds the bus lock here: transfers take turns, as on a wire. */
static void stub_wait(int size)
{
	if (size == I2C_SMBUS_BYTE_DATA || size == I2C_SMBUS_WORD_DATA)
		spend(delay_us);
}

/* The bus node's children become clients of the adapter, its alias the bus number. */
static void stub_take_place(struct i2c_adapter *adapter)
{
	struct platform_device *pdev;

	adapter->dev.of_node = of_find_compatible_node(NULL, NULL, "virtual-orin,i2c");
	if (!adapter->dev.of_node)
		return;
	pdev = of_find_device_by_node(adapter->dev.of_node);
	adapter->dev.parent = pdev ? &pdev->dev : NULL;
}
